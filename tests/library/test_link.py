"""One connection: who makes it again, who bounds its waits, and when it is given up."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import psycopg
import pytest

from pgqueue.database import queries
from pgqueue.database.link import Link
from pgqueue.database.options import Options, Timeouts
from pgqueue.errors import AnswerLost, DatabaseBusy, DatabaseUnavailable, PgQueueError, UsageError
from tests.chaos.proxy import proxied

PATIENCE_S = 45
NAME = "test link"
SESSIONS = f"""
    from pg_stat_activity where application_name = '{NAME}' and datname = current_database()
"""
UNLIMITED = Timeouts()
LIMITED = Timeouts(statement_s=30, lock_s=2)
REFUSE_WRITES = "select set_config('default_transaction_read_only', 'on', false)"

Make = Callable[..., Link]

pytestmark = pytest.mark.unpooled("it is about sessions")


class Watching:
    """What the server knows of the link's session."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection

    @property
    def pid(self) -> int:
        ((pid,),) = self.connection.execute("select pid" + SESSIONS).fetchall()
        return pid

    def end(self) -> None:
        ended = self.connection.execute("select pg_terminate_backend(%s, 5000)", [self.pid])
        assert ended.fetchall() == [(True,)]

    async def until(self, condition: str) -> None:
        """Return when the session is in this state."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.connection.execute("select 1" + SESSIONS + "and " + condition).rowcount:
                await asyncio.sleep(0.01)


@pytest.fixture
def watching(connect: Callable[..., psycopg.Connection]) -> Watching:
    return Watching(connect(session=True))


@pytest.fixture
async def make(direct: str) -> AsyncIterator[Make]:
    made: list[Link] = []

    def make(timeouts: Timeouts = LIMITED, *, dsn: str = direct, **options: object) -> Link:
        made.append(Link(dsn, Options(NAME, timeouts, **options)))
        return made[-1]

    yield make
    for link in made:
        await link.close()


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries of these tests' own."""
    for name, text in {
        "test_sleep": "select pg_sleep(60)",
        "test_write": "create table public.written (n int)",
        "test_written": "select to_regclass('public.written') is not null as written",
        "test_setup": "select set_config('pgqueue.test', 'ready', false)",
        "test_set_up": "select current_setting('pgqueue.test')",
        "test_lock": "lock table pgqueue_private.queue in access exclusive mode",
        "test_retired": f"{REFUSE_WRITES}, nextval('public.calls')",
        "test_calls": "select last_value from public.calls",
    }.items():
        monkeypatch.setitem(queries._all(), name, text)


# who connects


@pytest.mark.parametrize("timeouts", [UNLIMITED, LIMITED])
async def test_it_connects_on_first_use_and_again_after_the_server_ended_it(
    make: Make, watching: Watching, timeouts: Timeouts
) -> None:
    link = make(timeouts, setup="test_setup")
    assert not link.connected
    assert await link.rows("test_set_up") == [("ready",)]
    before = watching.pid
    watching.end()
    assert await link.rows("test_set_up") == [("ready",)], "no call fails, and it is set up again"
    assert watching.pid != before


async def test_without_a_server_a_call_fails_at_once(make: Make) -> None:
    link = make(dsn="host=127.0.0.1 port=1 user=nobody dbname=none")
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable) as caught:
        await link.rows("ping")
    assert not isinstance(caught.value, AnswerLost)
    assert time.monotonic() - began < 5


async def test_a_session_that_ends_during_a_call_leaves_open_what_was_done(
    make: Make, watching: Watching
) -> None:
    link = make()
    call = asyncio.create_task(link.rows("test_sleep"))
    await watching.until("state = 'active'")
    watching.end()
    with pytest.raises(AnswerLost):
        await call
    assert not link.connected
    assert await link.rows("ping")


async def test_a_read_only_call_has_done_nothing_when_its_answer_is_lost(
    make: Make, watching: Watching
) -> None:
    link = make(read_only=True)
    call = asyncio.create_task(link.rows("test_sleep"))
    await watching.until("state = 'active'")
    watching.end()
    with pytest.raises(DatabaseUnavailable) as caught:
        await call
    assert not isinstance(caught.value, AnswerLost)


# who bounds a wait


async def test_a_server_that_does_not_answer_is_given_up(make: Make, direct: str) -> None:
    with proxied(direct) as proxy:
        link = make(Timeouts(answer_s=0.3), dsn=proxy.dsn)
        await link.rows("ping")
        proxy.swallow()
        began = time.monotonic()
        with pytest.raises(AnswerLost):
            await link.rows("ping")
        assert time.monotonic() - began < 5
        assert not link.connected
        proxy.heal()
        assert await link.rows("ping")


async def test_postgresql_ends_what_takes_too_long_and_the_connection_is_kept(
    make: Make, watching: Watching, connect: Callable[..., psycopg.Connection]
) -> None:
    holder = connect(session=True, autocommit=False)
    holder.execute("lock table pgqueue_private.queue in share mode")
    link = make(Timeouts(statement_s=30, lock_s=0.05))
    with pytest.raises(DatabaseBusy, match="lock timeout"):
        await link.rows("test_lock")
    before = watching.pid
    link.timeouts = Timeouts(statement_s=0.05)
    with pytest.raises(DatabaseBusy, match="statement timeout"):
        await link.rows("test_sleep")
    assert watching.pid == before
    assert await link.rows("ping"), "the limits are those of one transaction"
    holder.rollback()


async def test_the_limits_of_a_call_stay_with_its_transaction(make: Make) -> None:
    link = make(Timeouts(statement_s=7, lock_s=3), read_only=True)
    await link.rows("ping")
    async with link.connection() as connection:
        for name in ("statement_timeout", "lock_timeout", "transaction_read_only"):
            cursor = await connection.execute(f"show {name}")
            assert await cursor.fetchone() in [("0",), ("off",)]


async def test_the_server_is_told_to_notice_as_soon_that_the_client_is_gone(make: Make) -> None:
    # on a Unix socket the values are always shown as 0
    set_here = "select name from pg_settings where name ~ '^tcp_' and source = 'session'"
    async with make().connection() as connection:
        names = await (await connection.execute(set_here)).fetchall()
    assert sorted(name for (name,) in names) == [
        "tcp_keepalives_count",
        "tcp_keepalives_idle",
        "tcp_keepalives_interval",
        "tcp_user_timeout",
    ]


# when it is given up


async def test_what_a_cancelled_caller_asked_for_is_ended_and_meets_no_other_call(
    make: Make, watching: Watching
) -> None:
    link = make()
    call = asyncio.create_task(link.rows("test_sleep"))
    await watching.until("state = 'active'")
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert call.cancelled()
    assert await link.rows("ping") == [(1,)]
    await watching.until("state = 'idle'")
    assert watching.pid, "its session is the only one"


async def test_a_call_that_is_refused_leaves_the_connection_as_it_was(
    make: Make, watching: Watching
) -> None:
    link = make()
    await link.rows("ping")
    before = watching.pid
    with pytest.raises(UsageError):
        await link.rows("redrive_task", {"id": "no id"})
    with suppress(RuntimeError):
        async with link.transaction():
            await link.rows("test_write")
            raise RuntimeError
    with suppress(RuntimeError):
        async with link.connection() as connection:
            await connection.execute("begin")
            await connection.execute("create table public.written (n int)")
            raise RuntimeError
    assert await link.dicts("test_written") == [{"written": False}]
    assert watching.pid == before


async def test_a_transaction_is_committed_whole(make: Make) -> None:
    link = make()
    async with link.transaction():
        await link.rows("test_write")
        assert await make().dicts("test_written") == [{"written": False}]
    assert await link.dicts("test_written") == [{"written": True}]


async def test_an_error_inside_a_transaction_is_not_forgotten(make: Make) -> None:
    link = make()
    async with link.transaction():
        with pytest.raises(UsageError):
            await link.rows("redrive_task", {"id": "no id"})
        with pytest.raises(PgQueueError, match="aborted"):
            await link.rows("test_write")
    assert await link.dicts("test_written") == [{"written": False}]


async def test_a_read_only_link_cannot_write(make: Make) -> None:
    with pytest.raises(DatabaseUnavailable, match="refuses writes"):
        await make(read_only=True).rows("test_write")
    with pytest.raises(ValueError, match="statement_s"):
        make(UNLIMITED, read_only=True)


@pytest.mark.parametrize("read_only", [True, False])
async def test_an_answer_of_a_server_that_takes_no_writes_any_more_is_not_used(
    make: Make, watching: Watching, read_only: bool
) -> None:
    link = make(read_only=read_only)
    await link.rows("ping")
    before = watching.pid
    await link._connection.execute("set default_transaction_read_only = on")
    assert await link.rows("ping") == [(1,)]
    await watching.until(f"pid <> {before}")
    assert link.connected
    assert not link.retired


async def test_what_a_server_did_before_it_took_no_more_writes_is_not_done_again(
    make: Make, watching: Watching
) -> None:
    watching.connection.execute("create sequence public.calls")
    link = make()
    assert (await link.rows("test_retired"))[0][1] == 1
    assert link.retired
    assert not link.connected
    assert await link.rows("test_calls") == [(1,)]


async def test_a_connection_is_given_up_when_a_write_is_refused(
    make: Make, watching: Watching
) -> None:
    link = make(UNLIMITED)
    await link.rows("ping")
    await link._connection.execute("set default_transaction_read_only = on")
    with pytest.raises(DatabaseUnavailable, match="refuses writes"):
        await link.rows("test_write")
    assert link.retired
    await link.rows("test_write")


# what it says


async def test_statements_are_prepared_on_first_use(make: Make) -> None:
    link = make()
    await link.dicts("test_written")
    async with link.connection() as connection:
        prepared = await connection.execute("select statement from pg_prepared_statements")
        assert (queries.query("test_written"),) in await prepared.fetchall()


async def test_a_link_that_is_abandoned_says_nothing(make: Make, watching: Watching) -> None:
    link = make()
    await link.rows("ping")
    link.abandon()
    assert not link.connected
    assert await link.rows("ping")
