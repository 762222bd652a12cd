"""Records how attempts ended: what has gathered goes in one call when the last is back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from pgqueue.errors import DatabaseUnavailable, PgQueueError
from pgqueue.models.task import Outcome
from pgqueue_worker.attempts.failure import describe
from pgqueue_worker.measurements import SIZES
from pgqueue_worker.retrying import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from pgqueue.database.link import Link
    from pgqueue_worker.attempts.reporter import Reporter
    from pgqueue_worker.measurements import Tally

_log = structlog.get_logger("pgqueue.worker")

_MAX_BATCH = 1_000
_MANY = 64  # so many at once come fast: as long as the last commit took, the next ones gather
_GATHER_S = 0.01
_PLAIN = 3  # task_id, lease_id and outcome, and nothing to keep


class Finisher:
    """The one writer of a process's finishes.

    A finish is kept and sent again until the database has answered; one that it refuses because the
    lease went to another is logged and forgotten.
    """

    def __init__(
        self, link: Link, reporter: Reporter, tally: Tally, on_flush: Callable[[], None]
    ) -> None:
        self._link = link
        self._reporter = reporter
        self._tally = tally
        self._on_flush = on_flush
        self._gathered: list[tuple[dict[str, Any], Callable[[], None] | None]] = []
        self._sending: list[dict[str, Any]] = []
        self._more = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._patience = Patience("finish")

    @property
    def waiting(self) -> int:
        """How many finishes have not been recorded yet."""
        return len(self._gathered)

    @property
    def lease_ids(self) -> set[int]:
        """The leases whose finish has not been recorded, as far as is known."""
        return {result["lease_id"] for result in self._sending} | {
            result["lease_id"] for result, _ in self._gathered
        }

    def add(self, result: dict[str, Any], after: Callable[[], None] | None = None) -> None:
        """Take a finish; ``after`` is called once it is recorded."""
        self._gathered.append((result, after))
        self._empty.clear()
        self._more.set()

    async def drained(self) -> None:
        """Return when everything taken so far is recorded."""
        await self._empty.wait()

    async def run(self) -> None:
        """Record for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._more.wait()
            began = loop.time()
            batch, self._gathered = self._gathered[:_MAX_BATCH], self._gathered[_MAX_BATCH:]
            self._sending = [result for result, _ in batch]
            await self._record(self._sending)
            self._sending = []
            for _, after in batch:
                if after is not None:
                    after()
            if not self._gathered:
                self._more.clear()
                self._empty.set()
            self._on_flush()
            if len(batch) >= _MANY:
                await asyncio.sleep(min(loop.time() - began, _GATHER_S))

    async def _record(self, batch: list[dict[str, Any]]) -> None:
        while True:
            try:
                rows = await self._link.rows("finish_attempts", _arguments(batch))
                break
            except DatabaseUnavailable as error:
                self._tally.count("database_errors")
                await self._patience.failed(error)
            except PgQueueError as error:
                self._tally.count("database_errors")
                await self._isolate(batch, error)
                return
        self._patience.succeeded()
        self._tally.observe(SIZES, len(batch), "flush_size")
        refused, watched = rows[0]
        if refused:
            self._tally.count("leases_lost", n=len(refused))
            _log.warning("lease_lost", lease_ids=refused[:20], n=len(refused))
        if watched:
            self._reporter.announce([result["task_id"] for result in batch])

    async def _isolate(self, batch: list[dict[str, Any]], error: PgQueueError) -> None:
        """Find the one that the database cannot take: it fails, its neighbours do not."""
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._record(batch[:middle])
            await self._record(batch[middle:])
            return
        result = batch[0]
        _log.error("result_not_stored", task_id=result["task_id"], error=str(error))
        if result.get("unstorable"):
            return  # the plainest possible finish was refused too: rescue will take it
        plain = {
            "task_id": result["task_id"],
            "lease_id": result["lease_id"],
            "outcome": "failed",
            "retry": False,
            "error": {**describe(error), "type": "ResultNotStorable"},
            "unstorable": True,
        }
        await self._record([plain])


def _arguments(batch: list[dict[str, Any]]) -> dict[str, Any]:
    """Give what ``pgqueue_private.finish`` takes: plain completions as arrays, at half the cost."""
    plain: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for result in batch:
        is_plain = len(result) == _PLAIN and result["outcome"] == Outcome.COMPLETED
        (plain if is_plain else others).append(result)
    return {
        "results": orjson.dumps(others).decode(),
        # PostgreSQL's own form: psycopg adapts lists item by item, which took 10 µs a task
        "task_ids": "{" + ",".join([result["task_id"] for result in plain]) + "}",
        "lease_ids": "{" + ",".join([str(result["lease_id"]) for result in plain]) + "}",
    }
