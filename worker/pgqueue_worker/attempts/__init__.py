"""Attempts: claimed from the database, run by their handlers, and finished exactly once.

Claimed rows enter, as leases. A lease waits for a free slot, runs, and ends by its result, an
error, a timeout, a cancel or a drain. Out go finishes, in batches.
"""
