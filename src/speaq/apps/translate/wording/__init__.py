"""What has to stand in a translation: terms, spans that are kept, what was said before."""
