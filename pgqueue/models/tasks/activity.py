"""What goes on in the queues, as a stream of many tasks shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from pgqueue.models.base import Count, Record, Uuid

__all__ = ["ActiveTask", "Activity", "QueueDepth"]


class QueueDepth(Record):
    """A queue and its depth."""

    name: str
    queued: Count
    scheduled: Count
    retrying: Count
    blocked: Count
    active: Count
    workers: Count
    oldest_queued_at: datetime | None
    sampled_at: datetime | None
    state: str
    paused_at: datetime | None
    paused_by: str | None
    paused_reason: str | None


class ActiveTask(Record):
    """A task that runs."""

    id: Uuid
    type: str
    queue: str
    attempt: Count
    progress: dict[str, Any] | None
    started_at: datetime | None


class Activity(Record):
    """The activity of the queues."""

    at: datetime = Field(description="The time of this reading.")
    queues: list[QueueDepth]
    active: list[ActiveTask] = Field(description="The latest 200.")
