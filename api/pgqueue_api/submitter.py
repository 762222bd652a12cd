"""Group commit: nobody gets an answer before the commit, and many share one.

The doorbell of idle workers rings afterwards, on a connection of its own, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
from asyncio import sleep
from typing import TYPE_CHECKING

from pgqueue import logs
from pgqueue.database import Link
from pgqueue.errors import PgQueueError
from pgqueue.gathering import Gatherer
from pgqueue_api.problems import DatabaseBusy, Overloaded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgqueue_api.limits import Limits
    from pgqueue_api.metrics import Metrics

__all__ = ["Doorbell", "Submitter"]

Stored = tuple[str, str]
"""The id of a stored task, and when it was created."""

_RINGS_IDS = 1_000
_UNHEARD_S = 0.05  # while nobody waits, it rings so often

_log = logs.get_logger("pgqueue.api")


class Doorbell:
    """Tells idle workers and watchers of new tasks: a hint, so what fails is dropped."""

    def __init__(self, dsn: str) -> None:
        self._link = Link(dsn, "pgqueue api doorbell")
        self._queues: set[str] = set()
        self._ids: list[str] = []
        self._ringing: asyncio.Task[None] | None = None
        self._heard = True

    def ring(self, queues: Sequence[str], ids: Sequence[str]) -> None:
        """Ring for these queues soon; returns at once."""
        self._queues.update(queues)
        self._ids += ids
        if self._ringing is None:
            self._ringing = asyncio.create_task(self._ring())

    async def close(self) -> None:
        """Ring what is left, then close the connection."""
        if self._ringing is not None:
            await asyncio.wait([self._ringing], timeout=2)
        await self._link.close()

    async def _ring(self) -> None:
        try:
            if not self._heard:  # whoever begins to wait looks first
                await sleep(_UNHEARD_S)
            while self._queues or self._ids:
                queues, ids = sorted(self._queues), self._ids[-_RINGS_IDS:]
                self._queues, self._ids = set(), []
                async with asyncio.timeout(5):
                    ((self._heard, *_),) = await self._link.rows(
                        "ring_submitted", {"queues": queues, "ids": ids}
                    )
        except (PgQueueError, TimeoutError) as error:
            _log.debug("doorbell_failed", error=str(error))
        finally:
            self._ringing = None


class Submitter:
    """Stores tasks, many to a commit."""

    def __init__(self, dsn: str, doorbell: Doorbell, limits: Limits, metrics: Metrics) -> None:
        # a statement that waits is cancelled before; this is for a server that is silent
        self._link = Link(dsn, "pgqueue api submit", answer_s=limits.submit_s + 4)
        self._doorbell = doorbell
        self._limits = limits
        self._metrics = metrics
        self._gatherer = Gatherer(self._store)

    def submit(self, element: bytes) -> asyncio.Future[Stored]:
        """Store a task; the future is done after its commit, or fails with what went wrong."""
        if self._gatherer.waiting >= self._limits.waiting_submits:
            raise Overloaded(f"{self._gatherer.waiting:,} tasks wait to be stored")
        return self._gatherer.add(element)

    async def close(self) -> None:
        """Store what waits, then close the connection."""
        await self._gatherer.drained(self._limits.submit_s)
        await self._link.close()

    async def _store(self, elements: list[bytes]) -> list[Stored]:
        self._metrics.flush_size.observe(len(elements))
        tasks = (b"[" + b",".join(elements) + b"]").decode()
        try:
            async with asyncio.timeout(self._limits.submit_s):
                [(ids, created_at, queues)] = await self._link.rows(
                    "submit_tasks", {"tasks": tasks}
                )
        except TimeoutError as error:
            raise DatabaseBusy("the database did not store the task in time") from error
        self._doorbell.ring(queues, ids)
        return [(id, created_at) for id in ids]
