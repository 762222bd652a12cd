"""Several connections: who waits for one, how long, and which are closed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import psycopg
import pytest

from pgqueue.database import pool as module
from pgqueue.database import queries
from pgqueue.database.options import Options, Timeouts
from pgqueue.database.pool import Pool
from pgqueue.errors import DatabaseBusy, DatabaseUnavailable, PgQueueError
from tests.chaos.proxy import proxied
from tests.worker.conftest import eventually

PATIENCE_S = 45
NAME = "test pool"
SESSIONS = f"""
    from pg_stat_activity where application_name = '{NAME}' and datname = current_database()
"""
OPTIONS = Options(NAME, Timeouts(statement_s=30, lock_s=2))

pytestmark = pytest.mark.unpooled("it is about sessions")


@pytest.fixture
async def make(direct: str) -> AsyncIterator[Callable[..., Pool]]:
    made: list[Pool] = []

    def make(dsn: str = direct, *, size: int = 2, **options: object) -> Pool:
        made.append(Pool(dsn, OPTIONS, size=size, **options))
        return made[-1]

    yield make
    for pool in made:
        await pool.close()


@pytest.fixture
def sessions(connect: Callable[..., psycopg.Connection]) -> Callable[[], int]:
    watching = connect(session=True)

    def sessions() -> int:
        ((n,),) = watching.execute("select count(*)" + SESSIONS).fetchall()
        return n

    return sessions


# who connects


async def test_calls_that_come_one_after_the_other_need_one_connection(
    make: Callable[..., Pool], sessions: Callable[[], int]
) -> None:
    pool = make()
    for _ in range(3):
        assert await pool.rows("ping") == [{"?column?": 1}]
        assert await pool.row("ping") == {"?column?": 1}
        async with pool.link() as link:
            assert await link.rows("ping") == [(1,)]
        async with pool.connection() as connection:
            await connection.execute("select 1")
    assert sessions() == 1


async def test_no_more_are_made_than_allowed_and_who_waits_gets_the_next(
    make: Callable[..., Pool], sessions: Callable[[], int]
) -> None:
    pool = make()
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(pool.link())
        call = asyncio.create_task(pool.rows("ping"))
        await asyncio.sleep(0.2)
        assert not call.done()
        assert sessions() == 2
    assert await asyncio.wait_for(call, PATIENCE_S)
    assert sessions() == 2


async def test_a_connection_that_the_server_ended_meanwhile_is_not_lent(
    make: Callable[..., Pool], connect: Callable[..., psycopg.Connection]
) -> None:
    pool = make()
    await pool.rows("ping")
    connect(session=True).execute("select pg_terminate_backend(pid, 5000)" + SESSIONS)
    assert await pool.rows("ping")


async def test_without_a_server_a_call_fails_at_once(make: Callable[..., Pool]) -> None:
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        await make("host=127.0.0.1 port=1 user=nobody dbname=none", wait_s=30).rows("ping")
    assert time.monotonic() - began < 10


async def test_a_pool_that_retries_waits_for_a_server_that_starts_again(
    make: Callable[..., Pool], direct: str
) -> None:
    with proxied(direct) as proxy:
        pool = make(proxy.dsn, wait_s=PATIENCE_S, retries=True)
        await pool.rows("ping")
        proxy.refuse()
        proxy.close()
        call = asyncio.create_task(pool.rows("ping"))
        await asyncio.sleep(0.5)
        assert not call.done()
        proxy.heal()
        assert await call


async def test_a_pool_that_retries_says_in_the_end_why_it_could_not_connect(
    make: Callable[..., Pool],
) -> None:
    pool = make("host=127.0.0.1 port=1 user=nobody dbname=none", wait_s=0.5, retries=True)
    with pytest.raises(DatabaseUnavailable, match="refused"):
        await pool.rows("ping")


# who waits


async def test_who_waits_too_long_for_a_connection_is_told_that_all_are_in_use(
    make: Callable[..., Pool],
) -> None:
    pool = make(size=1)
    async with pool.link():
        pool._wait_s = 0.05
        with pytest.raises(DatabaseBusy, match=r"within 0\.05 s"):
            await pool.rows("ping")
    pool._wait_s = PATIENCE_S
    assert await pool.rows("ping")


async def test_who_is_cancelled_while_it_waits_takes_no_connection_with_it(
    make: Callable[..., Pool],
) -> None:
    pool = make(size=1)
    async with pool.link():
        waiting = asyncio.create_task(pool.rows("ping"))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert await asyncio.wait_for(pool.rows("ping"), PATIENCE_S)


async def test_what_fails_gives_its_connection_back(make: Callable[..., Pool]) -> None:
    pool = make()
    for _ in range(3):
        with pytest.raises(PgQueueError):
            await pool.rows("redrive_task", {"id": "no id"})
        with pytest.raises(PgQueueError):
            async with pool.link() as link, link.transaction():
                await link.rows("redrive_task", {"id": "no id"})
    assert await pool.rows("ping")


async def test_each_borrower_has_its_own_limits(
    make: Callable[..., Pool], connect: Callable[..., psycopg.Connection]
) -> None:
    pool = make()
    blocker = connect(session=True, autocommit=False)
    blocker.execute("lock table pgqueue_private.queue_sample in access exclusive mode")
    for limits, refusal in (
        (Timeouts(statement_s=30, lock_s=0.05), "lock timeout"),
        (Timeouts(statement_s=0.05, lock_s=30), "statement timeout"),
    ):
        async with pool.link(limits) as link:
            with pytest.raises(DatabaseBusy, match=refusal):
                await link.rows("sample_queues")
    blocker.rollback()
    assert await pool.rows("sample_queues"), "the pool's own limits hold again"


# which are closed


async def test_what_nobody_needs_is_closed(
    make: Callable[..., Pool], sessions: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make()
    async with pool.link():
        assert await pool.rows("ping")
    assert sessions() == 2
    monkeypatch.setattr(module, "_KEPT_S", 0.0)
    await asyncio.sleep(0.01)
    assert await pool.rows("ping")
    await asyncio.to_thread(eventually, lambda: sessions() == 1, "the other is closed")


async def test_when_a_server_takes_no_writes_any_more_all_idle_connections_to_it_are_closed(
    make: Callable[..., Pool], sessions: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    retire = "select set_config('default_transaction_read_only', 'on', false)"
    monkeypatch.setitem(queries._all(), "test_retire", retire)
    pool = make()
    async with pool.link():
        assert await pool.rows("ping")
    assert sessions() == 2
    await pool.rows("test_retire")
    await asyncio.to_thread(eventually, lambda: sessions() == 0, "both are closed")
    assert await pool.rows("ping")


async def test_a_connection_that_is_lent_when_the_pool_closes_is_closed_when_it_comes_back(
    make: Callable[..., Pool], sessions: Callable[[], int]
) -> None:
    pool = make()
    async with pool.link() as link:
        await pool.close()
        assert await link.rows("ping")
    await asyncio.to_thread(eventually, lambda: sessions() == 0, "it is closed")


def test_a_pool_whose_loop_is_gone_can_be_abandoned(
    direct: str, sessions: Callable[[], int]
) -> None:
    async def used() -> Pool:
        pool = Pool(direct, OPTIONS, size=2)
        await pool.rows("ping")
        return pool

    pool = asyncio.run(used())
    assert sessions() == 1
    pool.abandon()
    eventually(lambda: sessions() == 0, "its connection is closed")
