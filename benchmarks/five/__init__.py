"""The five applications of `five_applications.py`, a module each."""
