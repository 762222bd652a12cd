"""The words of a task: its ids, where it is, and how an attempt ended."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NewType

__all__ = ["FINAL", "LeaseId", "Outcome", "Status", "StatusName", "TaskId"]

TaskId = NewType("TaskId", str)
LeaseId = NewType("LeaseId", int)

FINAL = frozenset({"completed", "failed", "cancelled"})


class Status(StrEnum):
    """The status of a task."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    BLOCKED = "blocked"
    ACTIVE = "active"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether a task in this status has ended."""
        return self in FINAL


StatusName = Literal[
    "scheduled", "queued", "blocked", "active", "retrying", "completed", "failed", "cancelled"
]
"""The same, as callers of the API write it."""


class Outcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    RELEASED = "released"
    SNOOZED = "snoozed"
