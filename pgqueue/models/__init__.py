"""The nouns: what callers submit and read, one module each.

A model is the list of its noun's fields, their bounds and descriptions. It knows no connection:
clients, the API and workers read and write through it.
"""
