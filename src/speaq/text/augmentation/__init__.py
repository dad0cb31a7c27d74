"""More texts out of few: random edits that keep labels right, and noise to learn repairing from.

`edits` changes words and keeps spans right, `synonyms` says what may stand for a word, `files` does
it to data files of any kind, `noise` makes misspelt texts out of clean ones.
"""
