"""Many loops share a few connections, and none waits for one longer than it must."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import psycopg
import pytest
from pgqueue_worker.duties import pool as module
from pgqueue_worker.duties.pool import Pool, PooledLink

from pgqueue.database.link import Bounds
from pgqueue.errors import PgQueueError
from tests.worker.conftest import Bench, eventually

PATIENCE_S = 45
BOUNDS = Bounds(statement_s=30, lock_s=2)
SESSIONS = "select count(*) from pg_stat_activity where application_name = 'test pool'"


@pytest.fixture
async def pool(direct: str) -> AsyncIterator[Pool]:
    pool = Pool(direct, "test pool", 2)
    yield pool
    await pool.close()


@pytest.fixture
def sessions(connect: Callable[..., psycopg.Connection]) -> Callable[[], int]:
    watching = connect(session=True)

    def sessions() -> int:
        row = watching.execute(SESSIONS + " and datname = current_database()").fetchone()
        assert row is not None
        return row[0]

    return sessions


async def test_those_who_take_turns_need_one_connection(
    pool: Pool, sessions: Callable[[], int]
) -> None:
    first, second = PooledLink(pool, BOUNDS), PooledLink(pool, BOUNDS)
    for _ in range(3):
        assert await first.rows("ping")
        assert await second.rows("ping")
    assert sessions() == 1


async def test_no_more_are_made_than_allowed_and_who_waits_gets_the_next(
    pool: Pool, sessions: Callable[[], int]
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(PooledLink(pool, BOUNDS).transaction())
        waiting, began = PooledLink(pool, BOUNDS), time.monotonic()
        call = asyncio.create_task(waiting.rows("ping"))
        await asyncio.sleep(0.2)
        assert not call.done()
        assert sessions() == 2
    assert await asyncio.wait_for(call, PATIENCE_S)
    assert sessions() == 2
    assert waiting.took_s < time.monotonic() - began - 0.1, "the wait for one is not counted"


async def test_what_fails_gives_its_connection_back(pool: Pool) -> None:
    link = PooledLink(pool, BOUNDS)
    for _ in range(3):
        with pytest.raises(PgQueueError):
            await link.rows("redrive_task", {"id": "no id"})
        with pytest.raises(PgQueueError):
            async with link.transaction() as held:
                await held.rows("redrive_task", {"id": "no id"})
    assert await link.rows("ping")


async def test_each_has_its_own_limits(
    pool: Pool, connect: Callable[..., psycopg.Connection]
) -> None:
    blocker = connect(session=True, autocommit=False)
    blocker.execute("lock table pgqueue_private.queue_sample in access exclusive mode")
    assert await PooledLink(pool, BOUNDS).rows("ping")
    with pytest.raises(PgQueueError, match="lock timeout"):
        await PooledLink(pool, Bounds(statement_s=30, lock_s=0.05)).rows("sample_queues")
    with pytest.raises(PgQueueError, match="statement timeout"):
        await PooledLink(pool, Bounds(statement_s=0.05, lock_s=30)).rows("sample_queues")
    blocker.rollback()


async def test_what_nobody_needs_is_closed(
    pool: Pool, sessions: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with PooledLink(pool, BOUNDS).transaction():
        assert await PooledLink(pool, BOUNDS).rows("ping")
    assert sessions() == 2
    monkeypatch.setattr(module, "_IDLE_S", 0.0)
    await asyncio.sleep(0.01)
    assert await PooledLink(pool, BOUNDS).rows("ping")
    await asyncio.to_thread(eventually, lambda: sessions() == 1, "the other is closed")


def test_a_supervisor_makes_few_connections(bench: Bench) -> None:
    bench.start()
    done = "select count(*) > 15 from pgqueue.maintenance where last_finished_at > '-infinity'"
    eventually(lambda: bench.value(done), "nearly all duties have run")
    names = bench.rows(
        "select application_name as name from pg_stat_activity"
        " where datname = current_database() and application_name like 'pgqueue %'"
    )
    assert len([1 for row in names if "worker" not in row["name"]]) <= 9, names
