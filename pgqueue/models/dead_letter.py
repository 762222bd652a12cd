"""Dead letters: tasks that failed for good, to look at and to run again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from pgqueue.models.base import Anything, Count, Input, Name, Page, Record, Uuid, Whole
from pgqueue.models.tasks.task import Task

__all__ = [
    "FINGERPRINT",
    "DeadLetter",
    "DeadLetterGroup",
    "DeadLetterGroups",
    "DeadLetterPage",
    "DeadLetterPolicies",
    "DeadLetterPolicy",
    "PolicyOfQueue",
    "Redriven",
]

FINGERPRINT = "^[0-9a-f]{16}$"

_Fingerprint = Annotated[
    str, Field(pattern=FINGERPRINT, description="The same for failures of one kind.")
]


class DeadLetter(Record):
    """A task that failed for good. It outlives the day of its task."""

    id: Uuid = Field(description="The id of the task.")
    type: Name
    queue: str
    outcome: Literal["failed", "timed_out", "crashed"]
    error: Any = Field(description="The last error: `{type, message, traceback, frame}`.")
    fingerprint: _Fingerprint
    payload: Anything
    priority: int
    attempt: Count = Field(description="How many times it was started.")
    max_attempts: Count
    crash_count: Count = Field(description="How many times a worker died while running it.")
    timeout_s: float | None
    retry: Any = Field(description="The retry policy of the task; null: it has none of its own.")
    created_at: datetime = Field(description="When the task was enqueued.")
    failed_at: datetime = Field(description="When it failed for good.")


class DeadLetterPage(Page):
    """A page of dead letters, latest first.

    A page examines about 20,000 dead letters and holds 4 MiB at most, so it may hold fewer items
    than asked for, or none, and still have a `next`.
    """

    items: list[DeadLetter]


class DeadLetterGroup(Record):
    """Failures of one kind."""

    fingerprint: _Fingerprint
    type: Name
    count: Count
    first_failed_at: datetime
    last_failed_at: datetime
    error: Any = Field(description="The error of the example: `{type, message, frame}`.")
    example_id: Uuid = Field(description="The latest dead letter of this kind.")


class DeadLetterGroups(Record):
    """Dead letters by fingerprint, the largest group first."""

    items: list[DeadLetterGroup]
    searched_until: datetime | None = Field(
        description="Only dead letters that failed since then were counted; null: all were."
    )


class Redriven(Record):
    """A task that runs again."""

    id: Uuid = Field(description="The id of the dead letter.")
    redriven_as: Uuid = Field(
        description="The id of the task that runs now: the same, or a new one if its day is gone."
    )
    task: Task


class DeadLetterPolicy(Input):
    """A policy to change. What you leave out stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "minProperties": 1,
            "examples": [
                {"retention_s": 604_800, "growth_limit": 20, "alert_type": "page_someone"}
            ],
        }
    )

    retention_s: Annotated[float, Field(ge=3600, le=3_153_600_000)] = Field(
        default_factory=float, description="How many seconds dead letters are kept."
    )
    growth_limit: Annotated[int, Field(ge=1, le=2_147_483_647), Whole] = Field(
        default_factory=int,
        description="More dead letters of a queue than this within an hour are reported.",
    )
    alert_type: Name = Field(
        default_factory=str, description="The type of the task that is enqueued then."
    )

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("pass retention_s, growth_limit or alert_type")
        return self


class PolicyOfQueue(Record):
    """The policy of a queue."""

    queue: str = Field(
        description="`*`: the policy of all queues that have none, or null in theirs."
    )
    retention_s: float | None
    growth_limit: int | None
    alert_type: str | None


class DeadLetterPolicies(Record):
    """How long dead letters are kept, and how many an hour are too many."""

    items: list[PolicyOfQueue]
