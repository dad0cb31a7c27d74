"""What may be wrong with a translation: lost facts, loops, doubt. Nothing here translates."""
