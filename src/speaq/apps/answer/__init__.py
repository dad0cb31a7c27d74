"""Questions answered from the user's own documents, with the place of every word that is quoted.

Reading order: `documents`, `passages`, `terms`, `segments`, `index`, `searching`, `reader`,
`deciding`, `calibrating`, `application`.
"""
