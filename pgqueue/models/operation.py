"""Operations over many tasks at once: redrive, cancel, delete, retry."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AwareDatetime, ConfigDict, Field, field_validator

from pgqueue.models.base import Count, Input, Name, Page, Record, Uuid, examples
from pgqueue.models.dead_letter import FINGERPRINT

__all__ = [
    "NewOperation",
    "Operation",
    "OperationFilter",
    "OperationKind",
    "OperationPage",
    "OperationPreview",
    "OperationState",
    "Preview",
    "PreviewedTask",
]

OperationKind: TypeAlias = Literal["redrive", "cancel", "delete", "retry"]


class OperationState(StrEnum):
    """The state of an operation."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Whether an operation in this state has ended."""
        return self not in (OperationState.QUEUED, OperationState.RUNNING)


def _left_out() -> Any:
    """Stand for a condition that is not given; it is never stored."""
    return None


class OperationFilter(Input):
    """The tasks that match every given condition."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    type: Name = Field(default_factory=_left_out)
    queue: Name = Field(default_factory=_left_out)
    fingerprint: Annotated[str, Field(pattern=FINGERPRINT)] = Field(default_factory=_left_out)
    status: Literal["queued", "scheduled", "retrying", "blocked", "active"] = Field(
        default_factory=_left_out, description="The status of tasks to cancel."
    )
    from_: AwareDatetime = Field(
        default_factory=_left_out,
        alias="from",
        description="Failed (with `cancel`: created) at this time or later.",
    )
    to: AwareDatetime = Field(
        default_factory=_left_out,
        description="Failed (with `cancel`: created) before this time.",
    )
    ids: Annotated[list[Uuid], Field(min_length=1, max_length=1000)] = Field(
        default_factory=_left_out
    )
    all: Literal[True] = Field(
        default_factory=_left_out,
        description="Select everything. No other condition is allowed with it.",
    )
    batch_id: Uuid = Field(
        default_factory=_left_out,
        description="The tasks of this batch and of the batches in it; only for `cancel` and "
        "`retry`, without other conditions.",
    )

    def as_json(self) -> str:
        """Return the conditions that are given, as SQL takes them."""
        return self.model_dump_json(exclude_unset=True, by_alias=True)


class NewOperation(Input):
    """An operation over many tasks, to start."""

    model_config = examples(
        {
            "kind": "redrive",
            "filter": {"queue": "email", "from": "2026-01-02T00:00:00Z"},
            "per_second": 50,
            "reason": "the mail server is back",
        }
    )

    kind: OperationKind = Field(
        description="`redrive` and `delete` work on dead letters, `cancel` on unfinished tasks, "
        "`retry` on the failed tasks of a batch."
    )
    filter: OperationFilter
    per_second: float = Field(
        default=100, ge=0.1, le=2000, description="How many tasks a second, at most."
    )
    dry_run: bool = Field(
        default=False, description="Store nothing; return how many tasks match, and some of them."
    )
    reason: Annotated[str, Field(max_length=1000)] | None = Field(
        default=None, description="Why. It is kept with the operation."
    )

    @field_validator("filter")
    @classmethod
    def _not_empty(cls, filter: OperationFilter) -> OperationFilter:
        if not filter.model_fields_set:
            raise ValueError('pass a condition; {"all": true} matches everything')
        return filter


class Operation(Record):
    """An operation over many tasks, as it stands. It is kept."""

    id: Uuid
    kind: OperationKind
    state: OperationState
    filter: dict[str, Any]
    per_second: float
    matched: Count = Field(
        description="How many tasks matched when it was started; at least `done`."
    )
    matched_exact: bool = Field(description="false: `matched` is an estimate.")
    done: Count
    skipped: Count = Field(
        description="How many were skipped: another caller was working on them, or they had ended."
    )
    requested_by: str
    reason: str | None
    error: str | None = Field(description="The error of the part that failed last.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class OperationPage(Page):
    """A page of operations, latest first."""

    items: list[Operation]


class PreviewedTask(Record):
    """A task that an operation would work on."""

    id: Uuid
    type: Name
    queue: str
    status: str


class Preview(Record):
    """What an operation would do: to how many tasks, and to which, for example."""

    matched: Count
    matched_exact: bool = Field(description="false: `matched` is an estimate.")
    sample: list[PreviewedTask] = Field(max_length=10)


class OperationPreview(Preview):
    """What an operation would do."""

    dry_run: Literal[True]
    kind: OperationKind
