"""Making a translator: parallel text in, a model out, and how good it is."""
