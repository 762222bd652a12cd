"""Records how attempts ended: endings gather during a call and go together in the next."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import structlog

from pgqueue.errors import DatabaseUnavailable, PgQueueError
from pgqueue.handlers.ending import COMPLETED, Ending
from pgqueue.handlers.failure import describe
from pgqueue.models.tasks.status import Outcome
from pgqueue_worker.measurements import SIZES
from pgqueue_worker.retrying import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from pgqueue.database.link import Link
    from pgqueue.models.tasks.status import LeaseId, TaskId
    from pgqueue_worker.lease import Progress
    from pgqueue_worker.measurements import Measurements
    from pgqueue_worker.reports.outbox import Outbox

__all__ = ["Finish", "Finisher"]

_log = structlog.get_logger("pgqueue.worker")

_MAX_BATCH = 1_000
_LARGE = 64  # after so large a batch, wait as long as its commit took: the next is large, too
_MAX_WAIT_S = 0.01


class Finish(NamedTuple):
    """The ending of an attempt, and the progress that was not recorded before it."""

    task_id: TaskId
    lease_id: LeaseId
    ending: Ending
    progress: Progress | None = None
    unstorable: bool = (
        False  # the database refused the first ending; this one is the simplest possible
    )

    @property
    def is_plain(self) -> bool:
        """Whether it completed without a result or progress to store."""
        return self.progress is None and (self.ending is COMPLETED or self.ending == COMPLETED)

    def as_json(self) -> dict[str, Any]:
        """Return an element of what ``pgqueue_private.finish`` takes."""
        fields = {"task_id": self.task_id, "lease_id": self.lease_id, **self.ending.as_json()}
        if self.progress is not None:
            fields["progress"] = self.progress
        return fields


class Finisher:
    """The one writer of a process's finishes.

    A finish is kept and sent again until the database has answered. One that the database refuses,
    because the lease went to another worker, is logged and dropped.
    """

    def __init__(
        self, link: Link, outbox: Outbox, measurements: Measurements, on_flush: Callable[[], None]
    ) -> None:
        self._link = link
        self._outbox = outbox
        self._measurements = measurements
        self._on_flush = on_flush
        self._gathered: list[tuple[Finish, Callable[[], None] | None]] = []
        self._sending: list[Finish] = []
        self._more = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._patience = Patience("finish")

    @property
    def waiting(self) -> int:
        """How many finishes have not been recorded yet."""
        return len(self._gathered)

    @property
    def lease_ids(self) -> set[LeaseId]:
        """The leases whose finish has not been recorded, as far as is known."""
        return {finish.lease_id for finish in self._sending} | {
            finish.lease_id for finish, _ in self._gathered
        }

    def add(self, finish: Finish, after: Callable[[], None] | None = None) -> None:
        """Take a finish; call ``after`` once it is recorded."""
        self._gathered.append((finish, after))
        self._empty.clear()
        self._more.set()

    async def drained(self) -> None:
        """Return when everything taken so far is recorded."""
        await self._empty.wait()

    async def run(self) -> None:
        """Record, forever.

        After a batch of 64 or more, wait as long as its commit took (at most 10 ms) so that the
        next batch is large, too.
        """
        loop = asyncio.get_running_loop()
        while True:
            await self._more.wait()
            began = loop.time()
            batch, self._gathered = self._gathered[:_MAX_BATCH], self._gathered[_MAX_BATCH:]
            self._sending = [finish for finish, _ in batch]
            await self._record(self._sending)
            self._sending = []
            for _, after in batch:
                if after is not None:
                    after()
            if not self._gathered:
                self._more.clear()
                self._empty.set()
            self._on_flush()
            if len(batch) >= _LARGE:
                await asyncio.sleep(min(loop.time() - began, _MAX_WAIT_S))

    async def _record(self, batch: list[Finish]) -> None:
        while True:
            try:
                ((refused, watched),) = await self._link.rows("finish_attempts", _arguments(batch))
                break
            except DatabaseUnavailable as error:
                self._measurements.count("database_errors")
                await self._patience.failed(error)
            except PgQueueError as error:
                self._measurements.count("database_errors")
                await self._isolate(batch, error)
                return
        self._patience.succeeded()
        self._measurements.observe(SIZES, len(batch), "flush_size")
        if refused:
            self._measurements.count("leases_lost", n=len(refused))
            _log.warning("lease_lost", lease_ids=refused[:20], n=len(refused))
        if watched:
            self._outbox.announce([finish.task_id for finish in batch])

    async def _isolate(self, batch: list[Finish], error: PgQueueError) -> None:
        """Find the finish that the database cannot store: only that attempt fails."""
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._record(batch[:middle])
            await self._record(batch[middle:])
            return
        (finish,) = batch
        _log.error("result_not_stored", task_id=finish.task_id, error=str(error))
        if finish.unstorable:
            return  # the simplest finish was refused, too: rescue will take the task
        failure = describe(error)
        failure["type"] = "ResultNotStorable"
        plainest = Ending(Outcome.FAILED, error=failure, retry=False)
        await self._record([Finish(finish.task_id, finish.lease_id, plainest, unstorable=True)])


def _arguments(batch: list[Finish]) -> dict[str, str]:
    """Return what the query takes: plain completions as arrays, at half the cost."""
    plain: list[Finish] = []
    others: list[dict[str, Any]] = []
    for finish in batch:
        if finish.is_plain:
            plain.append(finish)
        else:
            others.append(finish.as_json())
    return {
        "results": orjson.dumps(others).decode(),
        # PostgreSQL's own form: psycopg adapts lists item by item, which took 10 µs a task
        "task_ids": "{" + ",".join([finish.task_id for finish in plain]) + "}",
        "lease_ids": "{" + ",".join([str(finish.lease_id) for finish in plain]) + "}",
    }
