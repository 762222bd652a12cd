"""Functions and views of the next release come while those of this one are in use."""

from pathlib import Path

import psycopg
import pytest

from pgqueue.database.link import Link
from pgqueue.database.migrations import migrate, migrate_async
from pgqueue.database.options import Options, Timeouts
from pgqueue.database.pool import Pool
from pgqueue.errors import UsageError
from tests.database.queue import Queue
from tests.database.releases import Release

pytestmark = pytest.mark.unpooled("it is about what sessions have prepared")

TWICE = "(n int) returns int language sql as 'select 2 * n'"


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    return Release(tmp_path, monkeypatch)


def test_an_argument_is_added_without_making_calls_ambiguous(
    queue: Queue, database: str, release: Release
) -> None:
    release.function("twice", TWICE)
    migrate(database)
    assert queue.value("select pgqueue.twice(4)") == 8
    release.function(
        "twice", "(n int, more int default 1) returns int language sql as 'select 2 * n + more'"
    )
    migrate(database)
    assert queue.value("select pgqueue.twice(4)") == 9
    assert queue.value("select pgqueue.twice(4, 3)") == 11


def test_a_function_that_gets_an_argument_keeps_its_comment(
    queue: Queue, database: str, release: Release
) -> None:
    says = "; comment on function pgqueue.twice is 'Doubles.'"
    kept = "(n int) returns int language sql as 'select pgqueue.twice(n, 0)'"
    release.function("twice", TWICE + says)
    migrate(database)
    for old_calls_are_kept in (False, True):
        default = "" if old_calls_are_kept else " default 1"
        release.function(
            "twice", f"(n int, more int{default}) returns int language sql as 'select 2 * n'{says}"
        )
        if old_calls_are_kept:
            release.function("twice", kept, "compat")
        migrate(database)
        assert queue.value("select pgqueue.twice(4)") == 8
        assert queue.values(
            """select obj_description(oid, 'pg_proc') from pg_proc
               where pronamespace = 'pgqueue'::regnamespace
                   and proname = 'twice' and pronargs = 2"""
        ) == ["Doubles."]
    queue.rows("update pgqueue_private.code set digest = 'of another release'")
    migrate(database)
    assert queue.value("select pgqueue.twice(4)") == 8


def test_a_result_gets_a_column_and_prepared_calls_go_on(
    queue: Queue, database: str, release: Release
) -> None:
    body = "language sql as 'select n, n'"
    release.function("pair", "(n int) returns table (a int) language sql as 'select n'")
    migrate(database)
    worker = queue.connect()
    worker.prepare_threshold = 0
    call = "select a from pgqueue.pair(%s)"
    assert worker.execute(call, [4]).fetchall() == [(4,)]
    release.function("pair", f"(n int) returns table (a int, b int) {body}")
    migrate(database)
    assert worker.execute(call, [4]).fetchall() == [(4,)]
    assert queue.row("select * from pgqueue.pair(4)") == {"a": 4, "b": 4}


def test_a_call_that_is_under_way_still_finds_the_function_that_was_replaced(
    queue: Queue, database: str, release: Release
) -> None:
    """Its plan names the function itself: were that dropped, it would fail in its middle."""
    release.function(
        "twice", TWICE.replace("sql as 'select 2 * n'", "plpgsql as 'begin return 2 * n; end'")
    )
    migrate(database)
    queue.rows(
        """create function public.gate() returns void language plpgsql as $$
           begin
               perform pg_advisory_xact_lock(77);
               perform
               from pgqueue_private.queue;  -- its lock lets the session hear of what changed
           end $$"""
    )
    call = "select pgqueue.twice(4) from (select public.gate() offset 0) as gate"
    with queue.holding() as gate:
        gate.rows("select pg_advisory_xact_lock(77)")
        answer = queue.blocked(lambda worker: worker.value(call))
        release.without("functions/twice.sql")
        migrate(database)
    assert answer.result(45) == 8
    with pytest.raises(psycopg.errors.UndefinedFunction):
        queue.rows("select pgqueue.twice(4)")


def test_what_was_retired_is_dropped_by_the_next_migration_that_brings_functions(
    queue: Queue, database: str, release: Release
) -> None:
    release.function("twice", TWICE)
    migrate(database)
    release.without("functions/twice.sql")
    migrate(database)
    retired = "select proname from pg_proc where pronamespace = to_regnamespace('pgqueue_retired')"
    assert queue.values(retired) == ["twice"]
    release.function("thrice", TWICE)
    migrate(database)
    assert queue.values(retired) == []


def test_the_old_signature_is_kept_for_a_release_where_old_calls_need_it(
    queue: Queue, database: str, release: Release
) -> None:
    release.function("twice", TWICE)
    migrate(database)
    release.function(
        "twice", "(n numeric, digits int) returns numeric language sql as 'select 2 * n'"
    )
    release.function(
        "twice", "(n int) returns int language sql as 'select pgqueue.twice(n, 0)::int'", "compat"
    )
    migrate(database)
    assert queue.value("select pgqueue.twice(4)") == 8
    assert queue.value("select pgqueue.twice(1.5, 1)") == 3
    release.without("compat/twice.sql")
    migrate(database)
    with pytest.raises(psycopg.errors.UndefinedFunction):
        queue.rows("select pgqueue.twice(4)")


def test_a_view_gets_a_column_under_readers_and_under_views_of_users(
    queue: Queue, database: str, release: Release
) -> None:
    queue.rows("create view public.report as select id, queue from pgqueue.tasks")
    reader = queue.connect()
    reader.prepare_threshold = 0
    read = "select id from pgqueue.tasks"
    reader.execute(read)
    release.change("views/tasks.sql", r"\nfrom ", ",\n    'new' as news\nfrom ")
    migrate(database)
    queue.enqueue()
    assert queue.values("select news from pgqueue.tasks") == ["new"]
    assert len(reader.execute(read).fetchall()) == 1
    assert len(queue.rows("select * from public.report")) == 1


async def test_who_reads_all_columns_of_a_view_goes_on_when_it_got_one(
    queue: Queue, database: str, release: Release
) -> None:
    """Their statements are prepared, and PostgreSQL refuses those once."""
    wanted = {"id": queue.enqueue()}
    plain = Options("test")
    one = Pool(database, plain, size=1)
    two = Pool(database, Options("test", Timeouts(statement_s=20)), size=1)
    three = Link(database, plain)
    try:
        for reader in (one, two, three):
            assert len(await reader.rows("get_task", wanted)) == 1
        release.change("views/tasks.sql", r"\nfrom ", ",\n    'new' as news\nfrom ")
        await migrate_async(database)
        for reader in (one, two):
            assert (await reader.rows("get_task", wanted))[0]["news"] == "new"
            assert (await reader.rows("get_task", wanted))[0]["news"] == "new"
        assert (await three.rows("get_task", wanted))[0][-1] == "new"
    finally:
        await one.close()
        await two.close()
        await three.close()


def test_a_view_whose_columns_change_keeps_its_grants_and_the_views_of_ours_that_stand_on_it(
    queue: Queue, database: str, release: Release
) -> None:
    release.view("ours", "select 1 as a")
    release.view("upon", "select a from pgqueue.ours")
    migrate(database)
    queue.rows("grant select on pgqueue.ours, pgqueue.upon to public")
    release.view("ours", "select 'b' as b, 'one' as a")
    migrate(database)
    assert queue.row("select * from pgqueue.ours") == {"b": "b", "a": "one"}
    assert queue.row("select * from pgqueue.upon") == {"a": "one"}
    granted = "select has_table_privilege('pg_monitor', 'pgqueue.{}', 'select')"
    assert queue.values(granted.format("ours")) == queue.values(granted.format("upon")) == [True]


def test_a_view_of_the_users_is_never_dropped_with_ours(
    queue: Queue, database: str, release: Release
) -> None:
    release.view("ours", "select 1 as a")
    migrate(database)
    queue.rows("create view public.report as select a from pgqueue.ours")
    release.view("ours", "select 'b' as b, 1 as a")
    with pytest.raises(UsageError) as caught:
        migrate(database)
    assert "view public.report depends on view ours" in caught.value.message
    assert "create it again" in (caught.value.hint or "")
    assert queue.values("select a from public.report") == [1]
    queue.rows("drop view public.report")
    migrate(database)
    assert queue.row("select * from pgqueue.ours") == {"b": "b", "a": 1}


def test_a_view_that_did_not_change_is_not_touched(
    queue: Queue, database: str, release: Release
) -> None:
    """A long report holds its lock for as long as it likes: nobody waits for it."""
    report = queue.connect(autocommit=False)
    report.execute("select count(*) from pgqueue.tasks")
    release.function("twice", TWICE)
    assert migrate(database) == []
    assert queue.value("select pgqueue.twice(4)") == 8
    report.rollback()


def test_a_view_stands_on_the_function_of_its_release(
    queue: Queue, database: str, release: Release
) -> None:
    release.function("twice", TWICE)
    release.view("ours", "select pgqueue.twice(4) as a")
    migrate(database)
    release.function(
        "twice", "(n int, more int default 1) returns int language sql as 'select 2 * n + more'"
    )
    migrate(database)
    assert queue.values("select a from pgqueue.ours") == [9]
    release.function("other", TWICE)
    migrate(database)
    assert queue.values(
        "select count(*) from pg_proc where pronamespace = to_regnamespace('pgqueue_retired')"
    ) == [0]
