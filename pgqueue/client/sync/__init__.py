"""The client for code without an event loop.

``python -m tools.sync_client`` writes each module here, but for ``bridge.py``, from the module of
the same name in ``pgqueue.client``: calls enter as they are there, run on the bridge's loop, and
come back with the same answer or error.
"""
