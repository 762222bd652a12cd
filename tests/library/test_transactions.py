"""Enqueue inside the caller's own transaction: there if it commits, never there if not."""

import psycopg
import pytest
from psycopg.rows import dict_row, namedtuple_row

from pgqueue import NewTask, PgQueue, UsageError
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


@pytest.mark.parametrize("row_factory", [dict_row, namedtuple_row])
async def test_the_callers_connection_may_give_rows_in_any_form(
    app: PgQueue, queue: Queue, database: str, row_factory: object
) -> None:
    async with await psycopg.AsyncConnection.connect(database, row_factory=row_factory) as own:
        id = await app.enqueue("t", connection=own)
    assert queue.status(id) == "queued"


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
