"""The applications' side of the page: a tab each, named in the entry points of `speaq.panels`."""
