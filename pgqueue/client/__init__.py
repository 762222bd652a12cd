"""The client: ``PgQueue``, which declares task types and calls the service.

Calls enter as Python values and leave as one named query each (``sql/queries``); answers come back
as models. There is one module a noun; ``sync`` holds the same calls for code without an event loop.
"""
