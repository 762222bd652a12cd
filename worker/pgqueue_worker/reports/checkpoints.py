"""Saves and loads the checkpoints of tasks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pgqueue.errors import DatabaseUnavailable
from pgqueue_worker.retrying import Patience

if TYPE_CHECKING:
    from pgqueue.database.link import Link
    from pgqueue_worker.measurements import Measurements

__all__ = ["Checkpoints"]


class Checkpoints:
    """The checkpoints of a process's tasks, over a connection that is made on first use.

    A call waits while the database is away: a step must not run again only because its result could
    not be stored at once.
    """

    def __init__(self, link: Link, measurements: Measurements) -> None:
        self._link = link
        self._measurements = measurements
        self._turn = asyncio.Lock()
        self._patience = Patience("checkpoint")

    async def save(self, task_id: str, lease_id: int, name: str, data: bytes) -> None:
        """Store a value under a name. Raise ``LeaseLost`` when the lease no longer holds."""
        await self._rows(
            "save_checkpoint",
            {"task_id": task_id, "lease_id": lease_id, "name": name, "data": data.decode()},
        )

    async def load(self, task_id: str) -> dict[str, str]:
        """Return the checkpoints of a task, as JSON texts by name."""
        rows = await self._rows("load_checkpoints", {"task_id": task_id})
        return {name: text for name, text in rows}  # noqa: C416  dict() takes no rows

    async def parents(self, task_id: str) -> list[str]:
        """Return the results of a task's parents, as JSON texts."""
        ((texts,),) = await self._rows("load_parents", {"task_id": task_id})
        return list(texts)

    async def _rows(self, query: str, parameters: dict[str, object]) -> list[tuple[Any, ...]]:
        async with self._turn:
            while True:
                try:
                    rows = await self._link.rows(query, parameters)
                except DatabaseUnavailable as error:
                    self._measurements.count("database_errors")
                    await self._patience.failed(error)
                else:
                    self._patience.succeeded()
                    return rows
