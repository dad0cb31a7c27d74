"""From raw text to a language model: corpus, token file, objectives, and the one loop over them."""
