"""The schema: made once by many, refused when it does not fit, never in anyone's way."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from pgqueue import SchemaMismatch
from pgqueue.database import migrations
from pgqueue.database.migrations import check, code_version, migrate, migrate_async
from tests.database.queue import Queue
from tests.servers import Server

ALL = [f"{m.version:04} {m.name}" for m in migrations.migrations()]


@pytest.fixture
def empty(server: Server) -> Iterator[str]:
    """The address of a database without a schema."""
    name = server.create()
    yield server.dsn(name)
    server.drop(name)


def test_a_fresh_database_gets_every_migration_and_works(empty: str) -> None:
    assert migrate(empty) == ALL
    with psycopg.connect(empty) as connection:
        assert connection.execute("select pgqueue.enqueue('t') is not null").fetchone() == (True,)


def test_migrating_again_changes_nothing(database: str) -> None:
    objects = """select oid, xmin::text from pg_proc
                 where pronamespace in ('pgqueue'::regnamespace, 'pgqueue_private'::regnamespace)
                 order by 1"""
    with psycopg.connect(database, autocommit=True) as connection:
        before = connection.execute(objects).fetchall()
        assert migrate(database) == []
        assert connection.execute(objects).fetchall() == before


async def test_migrating_does_not_block_the_loop(empty: str) -> None:
    ticks = 0
    migration = asyncio.ensure_future(migrate_async(empty))
    while not migration.done():
        ticks += 1
        await asyncio.wait([migration], timeout=0.005)
    assert migration.result() == ALL
    assert ticks > 1


def test_of_eight_at_once_each_migration_is_applied_by_one(empty: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        applied = list(threads.map(migrate, [empty] * 8))
    assert sorted(name for names in applied for name in names) == ALL
    with psycopg.connect(empty) as connection:
        assert connection.execute("select pgqueue.enqueue('t') is not null").fetchone() == (True,)


def test_a_migration_that_stopped_after_its_first_step_is_taken_up_by_the_next(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "_row", _die)
        with pytest.raises(KeyboardInterrupt):
            migrate(empty)
    assert migrate(empty) == ALL


def test_functions_and_views_are_replaced_when_they_changed(queue: Queue, database: str) -> None:
    id = queue.enqueue()
    queue.rows("drop view pgqueue.tasks cascade")
    queue.rows(
        "create or replace function pgqueue_private.queues_empty(queues text[] default null, "
        "webhooks boolean default true) returns boolean language sql stable "
        "as 'select null::boolean'"
    )
    queue.rows("update pgqueue_private.code set digest = 'of another release'")
    assert migrate(database) == []
    assert queue.status(id) == "queued"
    assert queue.value("select pgqueue_private.queues_empty()") is False


def test_a_database_of_before_the_first_release_is_refused(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("create schema pgqueue; set search_path = pgqueue")
        connection.execute("create table migration (version int)")
    for call in (migrate, migrations.plan):
        with pytest.raises(SchemaMismatch, match="before the first release") as caught:
            call(empty)
        assert "drop schema pgqueue cascade" in (caught.value.hint or "")
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("drop schema pgqueue cascade")
    assert migrate(empty) == ALL


def test_a_newer_schema_that_allows_this_code_is_left_alone(queue: Queue, database: str) -> None:
    queue.rows("insert into pgqueue_private.migration (version, name) values (9999, 'later')")
    queue.rows("update pgqueue_private.code set digest = 'of a later release'")
    assert migrate(database) == []
    assert queue.value("select digest from pgqueue_private.code") == "of a later release"


def test_a_newer_schema_that_needs_newer_code_is_refused(queue: Queue, database: str) -> None:
    queue.rows(
        "insert into pgqueue_private.migration (version, name, min_code) "
        "values (9999, 'later', 9999)"
    )
    with pytest.raises(SchemaMismatch) as caught:
        migrate(database)
    assert caught.value.hint == "upgrade pgqueue"


def test_a_schema_serves_code_that_is_old_enough_and_allowed() -> None:
    mine = code_version()
    check(mine, None)
    check(mine, mine)
    check(mine + 1, None)
    check(mine + 5, mine)
    for version, min_code in ((None, None), (mine - 1, None), (mine + 1, mine + 1)):
        with pytest.raises(SchemaMismatch):
            check(version, min_code)


def test_work_goes_on_while_functions_are_replaced(queue: Queue, database: str) -> None:
    """A rolling deploy: enqueue, claim and finish on old connections never fail."""
    worker = queue.worker()

    def work(session: Queue) -> int:
        for _ in range(30):
            session.finish(session.start(worker, queue=f"q{id(session)}"))
        return 30

    with ThreadPoolExecutor(2) as threads:
        running = [threads.submit(work, queue.session()) for _ in range(2)]
        for n in range(3):
            queue.rows("update pgqueue_private.code set digest = %s", str(n))
            migrate(database)
        assert [done.result(45) for done in running] == [30, 30]


def _die(*_: object) -> None:
    raise KeyboardInterrupt
