"""Attempts: claimed from the database, run by their handlers, and finished exactly once.

Claimed rows enter, as leases. Out go finishes in batches, and what handlers report while they
run: progress, log lines, text, files, checkpoints, and transactions that complete their task.
"""
