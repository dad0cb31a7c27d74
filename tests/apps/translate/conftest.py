"""Beside this file lies `word_translator`, which the tests in the folders below import."""
