"""Models: sources, value heads, guided decoding, folding, folders, versions."""
