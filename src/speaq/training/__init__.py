"""From episodes to updated weights: encoding, cached hidden states, batches, the one loop.

Nothing here knows an algorithm; `qlearning` brings the losses.
"""
