"""A migration waits for locks in nobody's way, not for ever, and says for whom."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from pgqueue.commands import migrate as commands
from pgqueue.database import migrations, patience
from pgqueue.database.migrations import migrate
from pgqueue.database.queries import query
from pgqueue.errors import DatabaseUnavailable, PgQueueError, SchemaMismatch
from tests.database.queue import Queue
from tests.database.releases import Release

pytestmark = pytest.mark.unpooled("migrate goes past poolers, by PGQUEUE_LISTEN_URL")

ADD = "alter table task add column note text;"
INDEX = """-- transaction: none
drop index concurrently if exists pgqueue_private.worker_host;
create index concurrently worker_host on pgqueue_private.worker (host);
"""
WAITING = """select pid from pg_stat_activity
             where wait_event_type = 'Lock' and query like 'create index concurrently%'"""


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    return Release(tmp_path, monkeypatch)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


@pytest.fixture
def reader(queue: Queue) -> Iterator[psycopg.Connection]:
    """A report that holds its locks until it is rolled back."""
    reader = queue.connect(autocommit=False, application_name="a long report")
    reader.execute("select count(*) from pgqueue.tasks")
    yield reader
    reader.rollback()


def test_a_migration_behind_a_long_reader_gives_way_and_tries_again(
    queue: Queue,
    database: str,
    reader: psycopg.Connection,
    release: Release,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = release.migration(ADD)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        queue.enqueue()  # while it pauses it is in nobody's way
        if len(pauses) == 3:
            reader.rollback()

    monkeypatch.setattr(patience.time, "sleep", pause)
    announced: list[str] = []
    assert migrate(database, announced.append) == [name]
    assert len(pauses) == 3
    assert pauses[0] < pauses[2] <= 2
    (line,) = announced
    assert f"pid {reader.info.backend_pid} (a long report, idle in transaction, open for" in line
    assert "select count(*) from pgqueue.tasks" in line


def test_others_wait_behind_a_migration_no_longer_than_its_lock_timeout(  # noqa: PLR0917
    queue: Queue,
    database: str,
    reader: psycopg.Connection,
    release: Release,
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reader keeps its lock: what lets the enqueue pass is the migration's own patience."""
    release.migration(ADD)
    gave_way, go_on = threading.Event(), threading.Event()

    def pause(_seconds: float) -> None:
        gave_way.set()
        assert go_on.wait(45)

    monkeypatch.setattr(patience.time, "sleep", pause)
    migrating = threads.submit(migrate, database)
    queue.until(
        "select exists (select from pg_locks where not granted and mode = 'AccessExclusiveLock')"
    )
    assert queue.session().enqueue()  # it waits, and goes on though the reader is still there
    assert gave_way.wait(45)
    reader.rollback()
    go_on.set()
    assert len(migrating.result(45)) == 1


def test_a_lock_that_is_never_free_ends_in_an_error_that_says_who_holds_it(
    queue: Queue,
    database: str,
    reader: psycopg.Connection,
    release: Release,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release.migration("set local lock_timeout = '10ms';" + ADD)
    pauses: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", pauses.append)
    with pytest.raises(DatabaseUnavailable) as caught:
        migrate(database)
    assert len(pauses) == 24
    assert max(pauses) <= 5
    assert len({round(pause, 6) for pause in pauses}) > 10, "they are spread"
    assert f"pid {reader.info.backend_pid} (a long report" in caught.value.message
    assert "pg_terminate_backend" in (caught.value.hint or "")
    assert (
        queue.value("select max(version) from pgqueue_private.migration")
        < migrations.code_version()
    )


def test_a_migration_that_fails_in_its_middle_leaves_nothing(
    queue: Queue, database: str, release: Release
) -> None:
    release.migration(ADD + "create table note (id bigint); select 1 / 0;")
    columns = "select count(*) from pg_attribute where attrelid = 'pgqueue_private.task'::regclass"
    before = queue.value(columns)
    with pytest.raises(PgQueueError, match="division by zero"):
        migrate(database)
    assert queue.value(columns) == before
    assert queue.value("select to_regclass('pgqueue_private.note')") is None
    release.change(f"migrations/{migrations.code_version():04}_later.sql", " select 1 / 0;", "")
    assert len(migrate(database)) == 1
    assert queue.value(columns) == before + 1


def test_the_version_is_reached_only_when_functions_and_views_are_there_too(
    queue: Queue, database: str, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    release.migration("create table note (id bigint);")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "replace_functions", die)
        with pytest.raises(KeyboardInterrupt):
            migrate(database)
    for ready in ("schema_version", "readiness"):
        assert queue.row(query(ready))["version"] == migrations.code_version() - 1
    assert migrate(database) == []
    for ready in ("schema_version", "readiness"):
        assert queue.row(query(ready))["version"] == migrations.code_version()


def test_an_index_is_made_without_a_transaction_and_again_when_that_was_interrupted(
    queue: Queue, database: str, release: Release, threads: ThreadPoolExecutor
) -> None:
    name = release.migration(INDEX)
    writer = queue.connect(autocommit=False)
    writer.execute("select pgqueue.set_queue('q')")
    writer.execute("insert into pgqueue_private.worker (supervisor) select null where false")
    migrating = threads.submit(migrate, database)
    queue.until(f"select exists ({WAITING})")
    queue.session().worker()  # nobody has to wait meanwhile
    queue.rows(f"select pg_terminate_backend(pid) from ({WAITING}) as it")
    with pytest.raises(DatabaseUnavailable):
        migrating.result(45)
    valid = (
        "select indisvalid from pg_index "
        "where indexrelid = to_regclass('pgqueue_private.worker_host')"
    )
    assert queue.values(valid) == [False]
    writer.rollback()
    assert migrate(database) == [name]
    assert queue.values(valid) == [True]


def test_two_that_migrate_at_once_do_not_wait_for_each_other_for_ever(
    queue: Queue, database: str, release: Release, threads: ThreadPoolExecutor
) -> None:
    """An index made concurrently waits for whoever holds a snapshot, also in wait for a turn."""
    name = release.migration(INDEX)
    held = queue.connect(autocommit=False)
    held.execute("insert into pgqueue_private.worker (supervisor) select null where false")
    announced = threading.Event()
    first = threads.submit(migrate, database)
    queue.until(f"select exists ({WAITING})")
    second = threads.submit(migrate, database, lambda _: announced.set())
    assert announced.wait(45)
    held.rollback()
    assert (first.result(45), second.result(30)) == ([name], [])


def test_the_command_says_what_it_would_do_and_does_it(
    queue: Queue, database: str, release: Release
) -> None:
    version = migrations.code_version()
    environment = {"PGQUEUE_DATABASE_URL": database}

    def run(*arguments: str) -> list[str]:
        result = CliRunner().invoke(commands.command, arguments, env=environment)
        assert result.exit_code == 0, result.output
        return result.output.splitlines()

    head = f"the schema is at version {version}, this code has"
    assert run("--dry-run") == [f"{head} {version}", "nothing to do"]
    name = release.migration(ADD)
    release.function("twice", "(n int) returns int language sql as 'select 2 * n'")
    would = [f"{head} {version + 1}", f"would apply {name}", "would replace functions and views"]
    assert run("--dry-run") == would
    assert run("--dry-run") == would
    assert run() == [name]
    assert run() == ["the schema is up to date"]
    assert queue.value("select pgqueue.twice(4)") == 8


def test_code_that_a_migration_no_longer_allows_is_refused_what_is_allowed_is_not(
    queue: Queue, database: str, release: Release
) -> None:
    old = migrations.code_version()
    release.migration(f"-- min_code: {old}\nselect 1;", "allows")
    migrate(database)
    release.without(f"migrations/{old + 1:04}_allows.sql")
    assert migrate(database) == []
    release.migration("select 1;", "allows")
    release.migration(f"-- min_code: {old + 1}\nselect 1;", "refuses")
    migrate(database)
    release.without(f"migrations/{old + 2:04}_refuses.sql")
    release.without(f"migrations/{old + 1:04}_allows.sql")
    with pytest.raises(SchemaMismatch):
        migrate(database)
