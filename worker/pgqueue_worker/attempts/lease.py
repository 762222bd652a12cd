"""One claimed attempt, from claim to finish."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pgqueue.handlers.context import Context, Reporter
from pgqueue.models.task import LeaseId, TaskId

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
    seq: int
    queue: str
    type: str
    timeout_s: float | None
    wait_s: float
    payload: str
    traceparent: str | None
    claimed_at: float
    resumes: bool  # earlier attempts left checkpoints
    expired: bool  # to be cancelled, not run
    run_at_s: float | None  # when it was to run, in seconds of the epoch
    batch_id: str | None
    row: tuple[Any, ...]  # as claimed, for a process that runs it elsewhere
    started_at: float = 0.0
    deadline: float | None = None  # when the reaper looks at it next
    running: asyncio.Task[None] | None = None
    completed: bool = False  # by a transaction of its handler: no finish is sent
    interruptible: bool = False  # inside the handler: a cancel reaches only it
    cause: Cause | None = None  # why it was interrupted
    asked: int = 0  # how often it was
    last_seq: int = 0  # of the events that it logged
    unsent_events: int = 0
    stray: asyncio.Future[Any] | None = None  # the thread of a handler that did not stop
    progress: dict[str, Any] | None = None  # the latest that is not recorded yet

    @classmethod
    def claimed(cls, row: tuple[Any, ...], now: float) -> Lease:
        """Read a row of the query ``claim_tasks``; the watchers are the claimer's."""
        task_id, lease_id, attempt, budget, crashes, priority, seq, *rest = row
        queue, type_, timeout_s, wait_s, payload, traceparent, _watched, *more = rest
        resumes, expired, run_at_s, batch_id = more
        return cls(
            task_id=task_id,
            lease_id=lease_id,
            attempt=attempt,
            budget=budget,
            crashes=crashes,
            priority=priority,
            seq=seq,
            queue=queue,
            type=type_,
            timeout_s=timeout_s,
            wait_s=wait_s,
            payload=payload,
            traceparent=traceparent,
            claimed_at=now,
            resumes=resumes,
            expired=expired,
            run_at_s=run_at_s,
            batch_id=batch_id,
            row=row,
        )

    def context(self, reporter: Reporter, remembered: dict[str, str] | None) -> Context:
        """Give what the handler sees of it, and of earlier attempts."""
        at = self.run_at_s
        return Context(
            task_id=self.task_id,
            lease_id=self.lease_id,
            attempt=self.attempt,
            max_attempts=self.budget,
            type=self.type,
            queue=self.queue,
            run_at=None if at is None else datetime.fromtimestamp(at, UTC),
            batch_id=self.batch_id,
            reporter=reporter,
            remembered=remembered,
        )
