"""A worker that runs in the process of a test, for the duration of a call."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pgqueue_worker.control import Drain, Ring, Start
from pgqueue_worker.deadline_table import DeadlineTable
from pgqueue_worker.isolation import pool as isolation
from pgqueue_worker.worker_process import WorkerProcess

from pgqueue.client.app import PgQueue
from pgqueue.database.pool import Pool
from pgqueue.handlers.isolation import ProcessLimits
from pgqueue.models.tasks.status import Outcome
from pgqueue.models.values import encode
from pgqueue.testing.stored import dsn_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pgqueue_worker.control import Message

__all__ = ["drain"]

_LOOK_S = 0.005
_LEASE_S = 1e9  # longer than any test moves the clock


async def drain(
    app: PgQueue,
    *,
    queues: Sequence[str] = (),
    advance_clock: bool = False,
    concurrency: int = 10,
    timeout: float = 30,
) -> dict[Outcome, int]:
    """Run all runnable tasks in the app's database, and those that they enqueue.

    They run in this process; the return value counts attempts by outcome. ``queues`` are the queues
    to run, by default all. With ``advance_clock`` the database's clock is set to the next due time,
    retries and snoozes included, until no task waits; without it, those are left. Handlers with
    ``isolation="process"`` run in this process, too. Raises ``TimeoutError`` if it takes longer
    than ``timeout`` seconds.
    """
    async with (
        _connected(dsn_of(app)) as database,
        _working(app, database, list(queues), concurrency) as (worker_id, line, work),
    ):
        chosen = {
            "queues": list(queues) or None,
            "webhooks": False,  # tests send no webhooks
            "types": list(app.types),
        }
        try:
            async with asyncio.timeout(timeout):
                while not work.done():
                    if await _maintain(database, line):
                        continue
                    row = await database.row("queues_empty", chosen)
                    assert row is not None
                    if not row["queues_empty"]:
                        await asyncio.sleep(_LOOK_S)
                    elif not (advance_clock and await _to_next_due(database, chosen)):
                        break
        except TimeoutError:
            raise TimeoutError(
                f"tasks still run or wait after {timeout:g} s: "
                "does one enqueue itself, or is its queue paused?"
            ) from None
        outcomes = await database.rows("outcomes_of_worker", {"worker": worker_id})
    return {Outcome(row["outcome"]): row["n"] for row in outcomes}


class _Line:
    """The line between a worker process and a supervisor, without a supervisor."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[Message] = asyncio.Queue()

    def tell(self, message: Message) -> None:
        """Send the worker a message."""
        self._messages.put_nowait(message)

    async def receive(self) -> Message:
        """Return the next message to the worker."""
        return await self._messages.get()

    def send(self, message: Message) -> None:
        """Drop what the worker tells its supervisor."""


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[Pool]:
    database = Pool.patient(dsn, "pgqueue drain", size=1)
    try:
        await database.open()
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _working(
    app: PgQueue, database: Pool, queues: list[str], concurrency: int
) -> AsyncIterator[tuple[int, _Line, asyncio.Task[int]]]:
    here = PgQueue()
    here.types.update(
        (name, replace(kind, isolation=None, limits=ProcessLimits(), env=True))
        for name, kind in app.types.items()
    )
    types = encode([kind.published() for kind in app.types.values()]).decode()
    await database.rows("register_types", {"types": types})
    row = await database.row(
        "register_worker",
        {
            "supervisor": "drain",
            "host": "drain",
            "pid": 0,
            "version": "0",
            "queues": queues,
            "types": list(app.types),
            "concurrency": concurrency,
            "lease_s": _LEASE_S,
        },
    )
    assert row is not None
    worker_id: int = row["register_worker"]
    table = DeadlineTable.create(concurrency)
    start = Start(
        dsn=database.dsn,
        queues=queues,
        concurrency=concurrency,
        poll_s=0.02,
        lease_s=_LEASE_S,
        grace_s=0,
        stop_grace_s=app.settings.stop_grace_s,
        deadlines=table.descriptor,
    )
    line = _Line()
    pool = isolation.Pool(None, builtin=False, dsn=database.dsn, grace_s=0)
    process = WorkerProcess(line, start, worker_id, here, pool)
    work = asyncio.create_task(process.run())
    try:
        yield worker_id, line, work
    finally:
        line.tell(Drain())
        with closing(table):
            await work
        await database.rows("set_worker_state", {"worker": worker_id, "state": "stopped"})


async def _maintain(database: Pool, line: _Line) -> int:
    """Do what a supervisor would, and return how many tasks that made runnable."""
    await database.rows("fold_batches")
    await database.rows("follow_up")
    row = await database.row("promote")
    assert row is not None
    if row["moved"]:
        line.tell(Ring(row["queues"]))
    moved: int = row["moved"]
    return moved


async def _to_next_due(database: Pool, chosen: dict[str, Any]) -> bool:
    row = await database.row("next_due", chosen)
    if row is None or row["due_s"] is None:
        return False
    await database.rows("advance_clock", {"seconds": max(0.0, row["due_s"]) + 0.001})
    return True
