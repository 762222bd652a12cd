"""Submitting tasks: the bytes of a request enter, the stored task's JSON leaves after the commit.

A request is checked against its type's published schema (``types``, ``submission``), stored with
others that arrive at the same time (``group_commit``, ``store``), and answered by ``endpoint``.
"""
