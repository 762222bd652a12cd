"""One claimed attempt, from claim to finish."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

from pgqueue.task import LeaseId, TaskId

Cause = Literal["timeout", "cancel", "drain"]


@dataclass(slots=True, eq=False)
class Lease:
    """What the worker holds of a task. Times are the event loop's, in seconds."""

    task_id: TaskId
    lease_id: LeaseId
    attempt: int
    budget: int
    crashes: int
    priority: int
    queue: str
    type: str
    timeout_s: float | None
    wait_s: float
    payload: str
    traceparent: str | None
    claimed_at: float
    started_at: float = 0.0
    deadline: float | None = None
    running: asyncio.Task[None] | None = None
    interruptible: bool = False  # inside the handler: a cancel reaches only it
    cause: Cause | None = None  # why it was interrupted
    last_seq: int = 0  # of the events that it logged
    unsent_events: int = 0
    progress: dict[str, Any] | None = None  # the latest that is not recorded yet
    finish_span: Any = field(default=None)
