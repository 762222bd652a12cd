"""Why a task is where it is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from pgqueue.models.base import UUID_SCHEMA, Record
from pgqueue.models.tasks.status import Status, TaskId

__all__ = ["REASONS", "Explanation", "Reason"]

REASONS = {
    "dependency": "it waits for other tasks",
    "scheduled": "it waits for its time",
    "backoff": "it waits for its next attempt",
    "snoozed": "its handler snoozed it",
    "released": "a worker released it until a later time",
    "due": "its time has come, and a supervisor is about to make it runnable",
    "paused": "its queue is paused",
    "no_worker": "no live worker serves its queue",
    "no_handler": "no live worker handles its type",
    "workers_busy": "all slots of the workers are taken",
    "queue_concurrency": "as many tasks of its queue run as may",
    "queue_rate": "as many tasks of its queue have started as may",
    "queue_slowed": "a handler slowed its queue",
    "key_concurrency": "as many tasks of its limit_key run as may",
    "key_rate": "as many tasks of its limit_key have started as may",
    "key_slowed": "a handler slowed its limit_key",
    "behind": "other tasks of its queue come first",
    "expired": "it expired before it could start",
    "expires_first": "it expires before it can start",
    "ready": "nothing holds it back",
    "not_taken": "nothing holds it back, but no worker takes it",
    "active": "it is running",
    "completed": "it has ended",
    "failed": "it has ended",
    "cancelled": "it has ended",
}

_Earliest = Annotated[
    datetime | None,
    Field(description="It does not start before then; null: that does not depend on time."),
]


class Reason(Record):
    """One thing that keeps a task from starting, or says that it can start, runs or has ended."""

    code: str = Field(
        description="; ".join(f"`{code}`: {text}" for code, text in REASONS.items()) + ".",
        json_schema_extra={"enum": [*REASONS]},
    )
    message: str
    earliest_start_at: _Earliest
    details: dict[str, Any] = Field(
        description="More facts, depending on the code: see docs/explain.md."
    )


class Explanation(Record):
    """Why a task is where it is."""

    id: Annotated[TaskId, UUID_SCHEMA]
    status: Status
    at: datetime = Field(description="The time of this reading.")
    why: str = Field(description="The first reason, in a sentence.")
    earliest_start_at: _Earliest
    reasons: list[Reason] = Field(
        min_length=1,
        description="What keeps it from starting; the one that lasts longest comes first.",
    )
