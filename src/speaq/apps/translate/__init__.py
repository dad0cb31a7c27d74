"""Translation: sentences, documents and speech as it is typed, with terms and memories kept.

`application.py` holds the application; everything else here works on text or on a `Translator`.
"""
