"""Learning values, and imitation, from logs: one file per algorithm.

An algorithm is a frozen dataclass of settings with a `loss` over a `View`; the arithmetic is a
pure function of tensors beside it. `learn` joins an algorithm, a model and a log. `targets`,
`crossfit` and `operations` hold what several algorithms share.
"""
