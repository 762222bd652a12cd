"""Sends webhooks, in a process that the supervisor starts once there is something to send."""

from pgqueue_worker.webhooks.delivery import delivering_app

__all__ = ["delivering_app"]
