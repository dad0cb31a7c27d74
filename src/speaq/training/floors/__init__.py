"""Floors: the classical model that a neural one has to beat, for every supervised task.

classes.py    naive Bayes, linear SVM         tags.py       conditional random field
compact.py    a linear model of a few bytes   passages.py   the sentence BM25 likes best
search.py     BM25                            texts.py      lead-3, the source itself
series.py     the season before               linear.py     one linear map of a series
compare.py    floor and neural result side by side

The libraries behind them are the extra `classic`.
"""
