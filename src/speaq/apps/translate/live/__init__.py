"""Translating what is still being said or typed, and how far that lags behind."""
