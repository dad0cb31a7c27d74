"""Word vectors: word2vec, GloVe, and what is done with vectors of any origin.

`vectors` holds them and answers (similarity, nearest words, analogies), `files` keeps them,
`word2vec` and `glove` learn them from texts. Vectors from an encoder, which need a model, are made
in `speaq.training.contextual`.
"""
