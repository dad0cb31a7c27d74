"""Data files: recognised by what is in them, read as examples, written back as they were."""
