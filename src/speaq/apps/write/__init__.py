"""Writing: a text of a kind, with keywords that are sure to stand in it."""
