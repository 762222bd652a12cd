"""Why a task does not exist: it never did, or it was pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgqueue.errors import NotFound, missing_task

if TYPE_CHECKING:
    from uuid import UUID

    from pgqueue.database.pool import Pool

__all__ = ["task_not_found"]


async def task_not_found(reads: Pool, id: UUID | str) -> NotFound:
    """Return the error for a task that was not found: 404, or 410 if its day was pruned."""
    row = await reads.row("is_pruned", {"id": id})
    return missing_task(id, pruned=row is not None and row["pruned"])
