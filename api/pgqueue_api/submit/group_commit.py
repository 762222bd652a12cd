"""Group commit: tasks that arrive while a commit is under way share the next one.

Nobody gets an answer before the commit of their task.
"""

from __future__ import annotations

import asyncio
from functools import partial
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

_MANY_USERS = 100

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
        self._gatherers: dict[int, Gatherer[Stored]] = {}
        """By the user whose tasks they are; those that have something to store."""

    def submit(self, element: bytes, user_id: int) -> asyncio.Future[Stored]:
        """Store a task; the future is done after its commit, or fails with what went wrong."""
        waiting = sum(gatherer.waiting for gatherer in self._gatherers.values())
        if waiting >= self._bounds.waiting_submits:
            raise Overloaded(f"{waiting:,} tasks wait to be stored")
        gatherer = self._gatherers.get(user_id)
        if gatherer is None:
            if len(self._gatherers) >= _MANY_USERS:
                self._gatherers = {id: one for id, one in self._gatherers.items() if one.busy}
            gatherer = self._gatherers[user_id] = Gatherer(partial(self._store, user_id))
        return gatherer.add(element)

    async def close(self) -> None:
        """Store what waits, then close the connection."""
        for gatherer in self._gatherers.values():
            await gatherer.drained(self._bounds.submit_s)
        await self._link.close()

    async def _store(self, user_id: int, elements: list[bytes]) -> list[Stored]:
        self._metrics.flush_size.observe(len(elements))
        tasks = (b"[" + b",".join(elements) + b"]").decode()
        try:
            async with asyncio.timeout(self._bounds.submit_s):
                [(ids, created_at, queues)] = await self._link.rows(
                    "submit_tasks", {"tasks": tasks, "user_id": user_id}
                )
        except TimeoutError as error:
            raise DatabaseBusy("the database did not store the task in time") from error
        self._doorbell.ring(queues, ids)
        return [(id, created_at) for id in ids]
