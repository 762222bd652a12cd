"""One claimed attempt, from claim to finish."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from pgqueue.handlers.context import Context, Reporter
from pgqueue.handlers.ending import Cause
from pgqueue.models.tasks.status import LeaseId, TaskId

__all__ = ["ClaimedTask", "Lease", "Progress"]


class ClaimedTask(NamedTuple):
    """A row of ``claim_tasks`` or ``claim_limited_tasks``: the columns that both have, in order."""

    id: TaskId
    lease_id: LeaseId
    attempt: int
    budget: int
    crashes: int
    priority: int
    seq: int
    queue: str
    type: str
    timeout_s: float | None
    wait_s: float
    payload: str  # JSON, as it is stored
    traceparent: str | None
    watched: bool  # somebody watches one of the tasks that were claimed together
    resumes: bool  # earlier attempts left checkpoints
    expired: bool  # to be cancelled, not run
    run_at_s: float | None  # when it was to run, in seconds of the epoch
    batch_id: str | None

    @property
    def order(self) -> tuple[int, int]:
        """The sort key of tasks: they run in this order."""
        return self.priority, self.seq


@dataclass(frozen=True, slots=True)
class Progress:
    """The latest progress that a handler reported."""

    percent: float
    message: str | None

    def as_json(self) -> str:
        """Return it as it is stored."""
        return orjson.dumps(self).decode()


@dataclass(slots=True, eq=False)
class Lease:
    """A task that the worker holds. Times are the event loop's, in seconds."""

    task: ClaimedTask
    claimed_at: float
    traceparent: str | None = None  # of the span that comes next in the trace
    started_at: float = 0.0
    deadline: float | None = None  # when the worker must act on it next
    running: asyncio.Task[None] | None = None
    completed: bool = False  # by a transaction of its handler: no finish is sent
    interruptible: bool = False  # inside the handler: a cancel reaches only it
    cause: Cause | None = None  # why it was interrupted
    interrupts: int = 0  # how often it was
    last_seq: int = 0  # of the events that it logged
    unsent_events: int = 0
    stray: asyncio.Future[Any] | None = None  # the thread of a handler that did not stop
    progress: Progress | None = None  # the latest progress that is not recorded yet

    @classmethod
    def claimed(cls, task: ClaimedTask, now: float) -> Lease:
        """Return the lease of a task that was claimed at this time."""
        return cls(task, now, task.traceparent)

    @property
    def lease_id(self) -> LeaseId:
        """The id that fences every write of this attempt."""
        return self.task.lease_id

    def context(self, reporter: Reporter, remembered: dict[str, str] | None) -> Context:
        """Return what the handler sees of it, and of earlier attempts."""
        task = self.task
        at = task.run_at_s
        return Context(
            task_id=task.id,
            lease_id=task.lease_id,
            attempt=task.attempt,
            max_attempts=task.budget,
            type=task.type,
            queue=task.queue,
            run_at=None if at is None else datetime.fromtimestamp(at, UTC),
            batch_id=task.batch_id,
            reporter=reporter,
            remembered=remembered,
        )
