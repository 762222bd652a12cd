"""Enqueue inside the caller's own transaction: there if it commits, never there if not."""

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row, namedtuple_row

from pgqueue import NewTask, PgQueue, SyncClient, UsageError
from pgqueue.client import enqueueing
from tests.database.queue import Queue


@pytest.fixture
async def connection(database: str):
    async with await psycopg.AsyncConnection.connect(database) as connection:
        yield connection


async def test_the_task_is_there_once_the_callers_transaction_commits(
    app: PgQueue, queue: Queue, connection: psycopg.AsyncConnection
) -> None:
    await connection.execute("create table orders (n int)")
    await connection.execute("insert into orders values (7)")
    id = await app.enqueue("send_receipt", {"order": 7}, connection=connection)
    assert queue.count("task") == 0
    await connection.commit()
    assert queue.status(id) == "queued"


async def test_a_rolled_back_transaction_leaves_no_task(
    app: PgQueue, queue: Queue, connection: psycopg.AsyncConnection
) -> None:
    async with connection.transaction():
        await app.enqueue_many([NewTask("t")] * 3, connection=connection)
        raise psycopg.Rollback
    assert queue.count("task") == queue.count("ready") == 0


async def test_a_savepoint_that_is_rolled_back_takes_only_its_tasks(
    app: PgQueue, queue: Queue, connection: psycopg.AsyncConnection
) -> None:
    async with connection.transaction():
        kept = await app.enqueue("kept", connection=connection)
        async with connection.transaction():
            await app.enqueue("lost", connection=connection)
            with pytest.raises(UsageError):
                await app.enqueue("refused", timeout=-1, connection=connection)
            raise psycopg.Rollback
    assert queue.values("select id::text from pgqueue_private.task") == [kept]


@pytest.mark.parametrize(
    "options",
    [
        {"row_factory": dict_row},
        {"row_factory": namedtuple_row, "autocommit": True},
        {"client_encoding": "LATIN1"},
    ],
)
async def test_the_callers_connection_may_be_of_any_form(
    app: PgQueue, queue: Queue, database: str, options: dict[str, Any]
) -> None:
    payload = {"name": "Zoë ☂ 🐘 \x7f \u2028", 'quo"te': "\\"}
    with psycopg.connect(database, cursor_factory=psycopg.RawCursor, **options) as plain:
        ids = await asyncio.to_thread(_enqueue_each_way, plain, payload)
    raw = psycopg.AsyncRawCursor
    async with await psycopg.AsyncConnection.connect(
        database, cursor_factory=raw, **options
    ) as own:
        ids.append(await app.enqueue("t", payload, connection=own))
        ids += await app.enqueue_many([NewTask("t", payload)], connection=own)
        ids.append((await app.enqueue_unique("t", payload, dedup_key="a", connection=own)).id)
    assert [(await app.get(id)).payload for id in ids] == [payload] * 6
    assert queue.count("task") == 6


def _enqueue_each_way(connection: psycopg.Connection, payload: object) -> list[str]:
    client = SyncClient()
    return [
        client.enqueue("t", payload, connection=connection),
        *client.enqueue_many([NewTask("t", payload)], connection=connection),
        client.enqueue_unique("t", payload, dedup_key="s", connection=connection).id,
    ]


@pytest.mark.parametrize("autocommit", [False, True])
async def test_many_tasks_go_in_all_or_none_however_many_and_in_whichever_mode(
    queue: Queue, database: str, autocommit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enqueueing, "_CHUNK", 2)
    tasks = [NewTask("t"), NewTask("t"), NewTask("t", queue="q" * 101)]
    async with await psycopg.AsyncConnection.connect(database, autocommit=autocommit) as own:
        with pytest.raises(UsageError):
            await PgQueue().enqueue_many(tasks, connection=own)
        await PgQueue().enqueue("kept", connection=own)
    with psycopg.connect(database, autocommit=autocommit) as plain:
        with pytest.raises(UsageError):
            SyncClient().enqueue_many(tasks, connection=plain)
        SyncClient().enqueue("kept", connection=plain)
    assert queue.values("select type from pgqueue_private.task") == ["kept", "kept"]


async def test_a_connection_of_another_kind_is_refused_with_the_way_out(
    database: str, connection: psycopg.AsyncConnection
) -> None:
    with psycopg.connect(database) as plain, pytest.raises(UsageError) as caught:
        await PgQueue().enqueue("t", connection=plain)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "connection is a psycopg.Connection, which would block the event loop "
        "(pass a psycopg.AsyncConnection, or use SyncClient)"
    )
    with pytest.raises(UsageError, match="needs an event loop"):
        SyncClient().enqueue("t", connection=connection)  # type: ignore[arg-type]
    other: Any = object()
    calls = [
        lambda client: client.enqueue("t", connection=other),
        lambda client: client.enqueue_many([NewTask("t")], connection=other),
        lambda client: client.enqueue_unique("t", dedup_key="k", connection=other),
    ]
    for call in calls:
        with pytest.raises(UsageError, match="the psycopg connection under it"):
            call(SyncClient())
        with pytest.raises(UsageError, match="the psycopg connection under it"):
            await call(PgQueue())


async def test_idle_workers_are_rung_when_it_commits_and_not_before(
    app: PgQueue, queue: Queue, connection: psycopg.AsyncConnection
) -> None:
    queue.rows("select pgqueue_private.listen('worker', 'pgqueue_ready', 30)")
    queue.rows("listen pgqueue_ready")
    await app.enqueue("t", queue="mail", connection=connection)
    assert [*queue.connection.notifies(timeout=0)] == []
    await connection.commit()
    (notice,) = queue.connection.notifies(timeout=45, stop_after=1)
    assert notice.payload == "mail"


async def test_a_client_needs_no_database_of_its_own_for_that(
    queue: Queue, connection: psycopg.AsyncConnection
) -> None:
    id = await PgQueue().enqueue("t", connection=connection)
    await connection.commit()
    assert queue.status(id) == "queued"


async def test_a_synchronous_transaction_uses_sql(queue: Queue) -> None:
    with queue.holding() as own:
        own.value("select pgqueue.enqueue('t', '{}')")
        raise psycopg.Rollback
    assert queue.count("task") == 0
