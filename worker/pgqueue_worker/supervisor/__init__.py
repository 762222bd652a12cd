"""The supervisor: keeps worker processes running and sends their heartbeats.

A plan, the settings and notifications from the database enter. Out go worker processes, the
messages to them (look, cancel, drain), and what operators ask for: metrics and readiness.
"""
