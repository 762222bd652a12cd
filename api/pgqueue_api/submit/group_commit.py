"""Group commit: tasks that arrive while a commit is under way share the next one.

Nobody gets an answer before the commit of their task.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pgqueue.database.gathering import Gatherer
from pgqueue.database.link import Link
from pgqueue.database.options import Options, Timeouts
from pgqueue.errors import DatabaseBusy
from pgqueue_api.problems import Overloaded

if TYPE_CHECKING:
    from pgqueue_api.bounds import Bounds
    from pgqueue_api.metrics import Metrics
    from pgqueue_api.submit.doorbell import Doorbell

__all__ = ["Submitter"]

Stored = tuple[str, str]
"""The id of a stored task, and when it was created."""


class Submitter:
    """Stores tasks, many to a commit."""

    def __init__(self, dsn: str, doorbell: Doorbell, bounds: Bounds, metrics: Metrics) -> None:
        # the call is cancelled after submit_s; this is for a server that is silent
        timeouts = Timeouts(answer_s=bounds.submit_s + 4)
        self._link = Link(dsn, Options("pgqueue api submit", timeouts))
        self._doorbell = doorbell
        self._bounds = bounds
        self._metrics = metrics
        self._gatherer = Gatherer(self._store)

    def submit(self, element: bytes) -> asyncio.Future[Stored]:
        """Store a task; the future is done after its commit, or fails with what went wrong."""
        if self._gatherer.waiting >= self._bounds.waiting_submits:
            raise Overloaded(f"{self._gatherer.waiting:,} tasks wait to be stored")
        return self._gatherer.add(element)

    async def close(self) -> None:
        """Store what waits, then close the connection."""
        await self._gatherer.drained(self._bounds.submit_s)
        await self._link.close()

    async def _store(self, elements: list[bytes]) -> list[Stored]:
        self._metrics.flush_size.observe(len(elements))
        tasks = (b"[" + b",".join(elements) + b"]").decode()
        try:
            async with asyncio.timeout(self._bounds.submit_s):
                [(ids, created_at, queues)] = await self._link.rows(
                    "submit_tasks", {"tasks": tasks}
                )
        except TimeoutError as error:
            raise DatabaseBusy("the database did not store the task in time") from error
        self._doorbell.ring(queues, ids)
        return [(id, created_at) for id in ids]
