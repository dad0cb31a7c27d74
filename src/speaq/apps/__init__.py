"""Applications: write, translate, answer, understand, transcribe, forecast.

A folder each, `apps/NAME/`, whose `application.py` holds one class, named in the entry points of
`speaq.applications`. What two of them share stands beside the folders; none imports another.
"""
