"""Understand: what a text is, what it names, how that is related, how its sentences are built.

results.py      what is found, and its two shapes in JSON     opening.py      folders and files
classifiers.py  classes of texts                              finders.py      entities
describing.py   classes by their descriptions                 relaters.py     relations
rules.py        lexicon, gazetteer, regular expressions       parsers.py      parts of speech, arcs
reading.py      documents and annotated files                 application.py  the application
training.py     a folder of skills from files                 measuring.py    measures, abstention
pictures.py     HTML and SVG                                  terminal.py     the same in a terminal
graph_*.py      a knowledge graph of a folder of documents
"""
