"""A worker by itself: it needs no notification, no cursor and no payload that can be read."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from pgqueue_worker.control import Control, Drain, Start, Waiting
from pgqueue_worker.deadline_table import DeadlineTable
from pgqueue_worker.isolation.pool import Pool
from pgqueue_worker.worker_process import WorkerProcess

from pgqueue import PgQueue
from pgqueue.database.link import Link
from pgqueue.database.options import Options

PATIENCE_S = 45
ENQUEUE = "select pgqueue.enqueue('noted', to_jsonb(%s::text), queue => 'quiet')"


class Alone:
    """A worker process without a supervisor that could pass on a ring."""

    def __init__(self, supervisor: Control) -> None:
        self._supervisor = supervisor
        self.ran: asyncio.Queue[str] = asyncio.Queue()

    async def waits(self) -> None:
        """Return once it has found nothing, and waits."""
        while (message := await self._supervisor.receive()) is not None:
            if isinstance(message, Waiting):
                return

    async def next(self) -> str:
        try:
            return await asyncio.wait_for(self.ran.get(), PATIENCE_S)
        except TimeoutError:
            pytest.fail("it ran nothing")


@asynccontextmanager
async def alone(dsn: str) -> AsyncIterator[Alone]:
    link = Link(dsn, Options("test"))
    registration = {"supervisor": "t", "host": "t", "pid": 1, "version": "0", "queues": []}
    registration |= {"types": [], "concurrency": 5, "lease_s": 60.0}
    ((worker_id,),) = await link.rows("register_worker", registration)
    await link.close()
    ours, theirs = socket.socketpair()
    supervisor, control = await Control.over(ours), await Control.over(theirs)
    table = DeadlineTable.create(5)
    start = Start(
        dsn=dsn,
        queues=["quiet"],
        concurrency=5,
        poll_s=0.1,
        lease_s=60.0,
        grace_s=5,
        stop_grace_s=1,
        deadlines=table.descriptor,
    )
    app, worker = PgQueue(dsn), Alone(supervisor)

    @app.task("noted", queue="quiet")
    async def noted(ctx, payload: str) -> None:
        worker.ran.put_nowait(payload)

    pool = Pool(None, builtin=False, dsn=dsn, grace_s=1)
    running = asyncio.create_task(WorkerProcess(control, start, worker_id, app, pool).run())
    try:
        yield worker
        supervisor.send(Drain())
        assert await running == 0
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        supervisor.close()
        control.close()
        table.close()


async def test_a_task_that_nobody_announces_is_found_by_the_poll(database: str) -> None:
    async with alone(database) as worker:
        await worker.waits()
        async with await psycopg.AsyncConnection.connect(database) as other:
            await other.execute(ENQUEUE, ["found"])
        assert await worker.next() == "found"


async def test_a_task_that_commits_behind_the_cursor_is_found(database: str) -> None:
    connect = psycopg.AsyncConnection.connect
    async with alone(database) as worker, await connect(database) as late:
        await late.execute(ENQUEUE, ["behind"])  # takes its place in the order now
        async with await connect(database) as other:
            await other.execute(ENQUEUE, ["ahead"])
        assert await worker.next() == "ahead"
        await late.commit()
        assert await worker.next() == "behind"


async def test_a_payload_that_no_parser_takes_stops_nothing_that_is_claimed_with_it(
    database: str,
) -> None:
    async with await psycopg.AsyncConnection.connect(database) as other:
        for n in range(4):
            await other.execute(ENQUEUE, [f"good {n}"])
            if n == 1:
                await other.execute(
                    """select pgqueue.enqueue('noted', '{"x": 1e4300}', queue => 'quiet')"""
                )
    async with alone(database) as worker:
        assert sorted([await worker.next() for _ in range(4)]) == [f"good {n}" for n in range(4)]


@pytest.fixture(autouse=True)
def no_rings(connect) -> None:
    """Nobody listens in this database: no enqueue notifies anybody."""
    assert connect().execute("select count(*) from pgqueue_private.listener").fetchone() == (0,)
