"""The supervisor: keeps worker processes running and sends their heartbeats.

A plan and the settings enter, and notifications from the database. Out go worker processes, the
messages that they get (look, cancel, drain), and what operators ask for: metrics and readiness.
"""
