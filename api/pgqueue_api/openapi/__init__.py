"""The OpenAPI document, derived from the handlers, their models and their docstrings.

Handlers that ``operation`` declares enter, the document leaves. Litestar derives paths and
parameters (``document``), pydantic the schemas of the models (``models``); ``links`` says where an
answer holds the id that other operations take.
"""
