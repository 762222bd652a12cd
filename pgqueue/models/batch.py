"""Batches: tasks that belong together, counted as one."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["Batch", "BatchStatus"]


class BatchStatus(StrEnum):
    """Where a batch is."""

    OPEN = "open"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether a batch in this status has ended."""
        return self not in (BatchStatus.OPEN, BatchStatus.RUNNING)


class Batch(BaseModel):
    """A batch as it stands, with the same words as the view ``pgqueue.batches``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    name: str
    status: BatchStatus
    metadata: dict[str, Any]
    callback_url: str | None
    parent_id: str | None
    total: int
    waiting: int
    active: int
    completed: int
    failed: int
    cancelled: int
    batches: int
    batches_ended: int
    batches_failed: int
    percent: float
    success_task_id: str | None
    failure_task_id: str | None
    complete_task_id: str | None
    created_at: datetime
    closed_at: datetime | None
    cancelled_at: datetime | None
    ended_at: datetime | None
