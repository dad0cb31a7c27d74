"""Translation: sentences, documents and speech as it is typed, with terms and memories kept.

`application.py` holds the application, `sentence.py` what happens to each sentence. The rooms; one
imports only from those below it:

    live        what is still being said or typed
    training    making a translator
    files       documents
    wording     terms, spans that are kept, memory
    model       engines, tokens and languages of a model
    checks      lost facts, loops, quality
    texts       languages, scripts, sentences, spans
"""
