"""The client: ``PgQueue``, which declares task types and calls the service, and its plain twin.

Calls enter as Python values and leave as one named query each (``sql/queries``); answers come back
as models.
"""
