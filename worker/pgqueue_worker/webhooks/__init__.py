"""Sends webhooks, in a process that the supervisor starts once there is something to send.

A delivery's id enters, as the payload of a task. Out go one signed request for each attempt, and a
line in the log of the delivery.
"""

from pgqueue_worker.webhooks.delivery import delivering_app

__all__ = ["delivering_app"]
