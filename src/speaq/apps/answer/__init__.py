"""Questions answered from the user's own documents, with the place of every word that is quoted.

Reading order: `documents`, `passages`, `terms`, `segments`, `index`, `adding_up`, `searching`,
`reader`, `deciding`, `calibrating`, `domain`, `application`.
"""
