"""The OpenAPI document, derived from the handlers, their models and their docstrings."""
