"""Reading a text: its language, its script, its sentences, and what in it is repeated as it is."""
