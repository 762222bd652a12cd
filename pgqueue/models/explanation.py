"""Why a task is where it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from pgqueue.models.task import Status, TaskId

__all__ = ["Explanation", "Reason"]


class Reason(BaseModel):
    """One thing that keeps a task from starting, or says that nothing does, that it runs, or ended.

    ``code`` is for programs: docs/explain.md lists them, and what ``details`` holds for each.
    ``earliest_start_at``: not before then by this reason; ``None``: not a matter of time.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    message: str
    earliest_start_at: datetime | None
    details: dict[str, Any]


class Explanation(BaseModel):
    """All reasons, what holds longest first: so the first one's time is the task's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: TaskId
    status: Status
    at: datetime
    why: str
    earliest_start_at: datetime | None
    reasons: list[Reason]
