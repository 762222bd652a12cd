"""Why a task is where it is."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg.rows import tuple_row
from pydantic import BaseModel, ConfigDict

from pgqueue.database.queries import query
from pgqueue.models.task import Status, TaskId

if TYPE_CHECKING:
    from uuid import UUID

    import psycopg

__all__ = ["Explanation", "Reason", "read"]


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


async def read(connection: psycopg.AsyncConnection[Any], id: UUID) -> Explanation | None:
    """Explain a task, if there is such a one."""
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(query("explain_task"), {"id": id})
    row = await cursor.fetchone()
    return None if row is None else Explanation.model_validate_json(row[0])
