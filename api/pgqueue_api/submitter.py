"""Group commit: what waits while one round trip runs goes into the next, all in one statement.

Idle, a task is stored at once; busy, hundreds share a commit. Nobody gets an answer before the
commit. The doorbell of idle workers rings afterwards, on a connection of its own, and nobody waits
for it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pgqueue import logs
from pgqueue.database import Link
from pgqueue.errors import DatabaseUnavailable, PgQueueError, SchemaMismatch
from pgqueue_api.problems import DatabaseBusy, Overloaded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgqueue_api.limits import Limits
    from pgqueue_api.metrics import Metrics

__all__ = ["Doorbell", "Submitter"]

Stored = tuple[str, str]
"""The id of a stored task, and when it was created."""

_LARGEST_BATCH = 500
_LARGEST_BATCH_BYTES = 4 * 1024 * 1024
_RINGS_IDS = 1_000

_log = logs.get_logger("pgqueue.api")


class Doorbell:
    """Tells idle workers and watchers of new tasks: a hint, so what fails is dropped."""

    def __init__(self, dsn: str) -> None:
        self._link = Link(dsn, "pgqueue api doorbell")
        self._queues: set[str] = set()
        self._ids: list[str] = []
        self._ringing: asyncio.Task[None] | None = None

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
            while self._queues or self._ids:
                queues, ids = sorted(self._queues), self._ids[-_RINGS_IDS:]
                self._queues, self._ids = set(), []
                async with asyncio.timeout(5):
                    await self._link.rows("ring_submitted", {"queues": queues, "ids": ids})
        except (PgQueueError, TimeoutError) as error:
            _log.debug("doorbell_failed", error=str(error))
        finally:
            self._ringing = None


class Submitter:
    """Stores tasks, many to a commit."""

    def __init__(self, dsn: str, doorbell: Doorbell, limits: Limits, metrics: Metrics) -> None:
        self._link = Link(dsn, "pgqueue api submit")
        self._doorbell = doorbell
        self._limits = limits
        self._metrics = metrics
        self._waiting: list[tuple[bytes, asyncio.Future[Stored]]] = []
        self._running: asyncio.Task[None] | None = None

    def submit(self, element: bytes) -> asyncio.Future[Stored]:
        """Store a task; the future is done after its commit, or fails with what went wrong."""
        if len(self._waiting) >= self._limits.waiting_submits:
            raise Overloaded(f"{len(self._waiting):,} tasks wait to be stored")
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        self._waiting.append((element, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return future

    async def close(self) -> None:
        """Store what waits, then close the connection."""
        if self._running is not None:
            await asyncio.wait([self._running], timeout=self._limits.submit_s)
        await self._link.close()

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._flush(self._take())
        finally:
            self._running = None

    def _take(self) -> list[tuple[bytes, asyncio.Future[Stored]]]:
        size = count = 0
        for element, _ in self._waiting[:_LARGEST_BATCH]:
            size += len(element)
            if count and size > _LARGEST_BATCH_BYTES:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    async def _flush(self, batch: list[tuple[bytes, asyncio.Future[Stored]]]) -> None:
        self._metrics.flush_size.observe(len(batch))
        try:
            stored = await self._store([element for element, _ in batch])
        except (DatabaseUnavailable, SchemaMismatch) as error:
            for _, future in batch:
                _fail(future, error)
        except Exception as error:  # noqa: BLE001  whatever it is, each request gets an answer
            if len(batch) == 1:
                _fail(batch[0][1], error)
                return
            # one of them is bad: by halves, so that it alone is refused
            middle = len(batch) // 2
            await self._flush(batch[:middle])
            await self._flush(batch[middle:])
        else:
            for (_, future), task in zip(batch, stored, strict=True):
                if not future.done():
                    future.set_result(task)

    async def _store(self, elements: list[bytes]) -> list[Stored]:
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


def _fail(future: asyncio.Future[Stored], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
