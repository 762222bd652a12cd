"""Connections to PostgreSQL, the queries that cross them, and the schema on the other side.

Names of queries and parameters enter; rows leave, or errors of ``pgqueue.errors``.
Every wait has a limit.
"""
