"""The client for code without an event loop.

``make sync-client`` writes each module here, except ``bridge.py``, from the module of the same name
in ``pgqueue.client`` (``client`` from ``app``): calls enter as they do there, run on the bridge's
loop, and return the same answer or raise the same error.
"""
