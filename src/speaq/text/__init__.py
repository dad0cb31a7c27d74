"""Text before any model: data files, what is wrong with them, words, tokenizers, vectors, variants.

    files           recognising, reading and writing data files; the kinds of example they hold
    doctor          what is wrong with them, in which row, and mending it
    tokenizers      made from one's own texts
    embeddings      vectors of words
    augmentation    variants of texts that keep labelled spans right; mistakes made on purpose

Beside them the small things all of these use: cleaning, words, sentences, stems, stop words, units.
"""
