"""Documents: what in them is translated, and the same document made of the translations."""
