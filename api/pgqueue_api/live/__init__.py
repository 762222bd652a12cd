"""Live streams: the hub listens once for the process; a stream sends what the hub or a poll finds.

Notifications enter by one LISTEN connection and are hints only. Server-sent events leave, and each
carries the whole current state, so that a lost notification delays a client and never misleads it.
"""
