"""Tokenizers made from texts, in the form that `transformers` opens."""
