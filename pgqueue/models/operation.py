"""Operations over many tasks at once: redrive, cancel, delete."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["Operation", "OperationState", "Preview"]


class OperationState(StrEnum):
    """Where an operation is."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Whether an operation in this state has ended."""
        return self not in (OperationState.QUEUED, OperationState.RUNNING)


class Operation(BaseModel):
    """An operation as it stands, with the same words as the view ``pgqueue.operations``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    kind: str
    state: OperationState
    filter: dict[str, Any]
    per_second: float
    matched: int
    matched_exact: bool
    done: int
    skipped: int
    requested_by: str
    reason: str | None
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Preview(BaseModel):
    """What an operation would do: for how many tasks (an estimate unless exact), and for which."""

    model_config = ConfigDict(frozen=True)

    matched: int
    matched_exact: bool
    sample: list[dict[str, Any]]
