"""Dead letters: tasks that failed for good, to look at and to run again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from pgqueue.models.task import Outcome, TaskId

__all__ = ["DeadLetter"]


class DeadLetter(BaseModel):
    """A task that failed for good, with the same words as the view ``pgqueue.dead_letters``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: TaskId
    type: str
    queue: str
    outcome: Outcome
    error: Any
    fingerprint: str
    payload: Any
    priority: int
    attempt: int
    max_attempts: int
    crash_count: int
    timeout_s: float | None
    retry: Any
    created_at: datetime
    failed_at: datetime
