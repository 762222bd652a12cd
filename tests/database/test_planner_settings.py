"""The list of planner settings is what functions have, and none that needs some is missing."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pgqueue.database.migrations import migrate
from pgqueue.database.queries import SQL
from tests.database.queue import Queue
from tests.database.releases import Release

LISTED = """
    select function_name, (select array_agg(s order by s) from unnest(settings) as s)
    from pgqueue_private.planner_settings()
"""
IN_THE_CATALOGUE = """
    select p.proname, array_agg(s order by s)
    from pg_proc as p
    cross join unnest(p.proconfig) as s
    where p.pronamespace in ('pgqueue'::regnamespace, 'pgqueue_private'::regnamespace)
    and s !~ '^(search_path|extra_float_digits)='
    group by p.oid
"""

# What a task's way through the queue calls.
ROOTS = {
    *("enqueue", "enqueue_unique", "claim", "claim_limited", "finish", "promote", "heartbeat"),
    *("record_progress", "append_events"),
}
FACTS_AND_TOKENS = ("task", "attempt", "task_event", "ready", "delayed", "running", "tasks")
UNLISTED = {
    "complete": "runs under the settings of finish()",
    "limit_places": "runs under the settings of limit_room() and use_limit()",
    "retry_delay": "written into finish(), and planned with it",
}


def settings(queue: Queue, statement: str) -> dict[str, list[str]]:
    with queue.connection.cursor() as cursor:
        rows = cursor.execute(statement).fetchall()
    assert len(rows) == len(dict(rows)), "a function is there twice"
    return dict(rows)


def test_each_function_of_the_list_has_its_settings_and_no_other_has_any(queue: Queue) -> None:
    listed = settings(queue, LISTED)
    assert len(listed) > 70
    assert settings(queue, IN_THE_CATALOGUE) == listed


def test_what_is_called_for_each_task_and_reads_facts_or_tokens_is_in_the_list(
    queue: Queue,
) -> None:
    bodies = {
        file.stem: re.sub(r"--.*", "", file.read_text().partition("as $$")[2])
        for file in Path(SQL / "functions").rglob("*.sql")
    }
    reached, ahead = set[str](), set(ROOTS)
    while ahead:
        reached.add(name := ahead.pop())
        ahead |= ({*re.findall(r"\b(\w+)\(", bodies[name])} & bodies.keys()) - reached
    reads = re.compile(rf"\b(from|join|update|using)\s+(\w+\.)?({'|'.join(FACTS_AND_TOKENS)})\b")
    need = {name for name in reached if reads.search(bodies[name])}
    assert {"make_ready", "lock_tokens", "enqueue_many", "settle_dependents"} <= need
    assert need - settings(queue, LISTED).keys() == UNLISTED.keys()


def test_no_session_sees_a_function_between_its_replacement_and_its_settings(
    queue: Queue, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Release(tmp_path, monkeypatch).function("new", "() returns int language sql as 'select 1'")
    queue.rows(
        """create function public.gate() returns event_trigger language plpgsql as $$
           begin
               perform pg_advisory_xact_lock(77);
           end $$;
           create event trigger gate on ddl_command_start when tag in ('ALTER ROUTINE')
           execute function public.gate()"""
    )
    listed = settings(queue, LISTED)
    with ThreadPoolExecutor(1) as threads:
        with queue.holding() as gate:
            gate.rows("select pg_advisory_xact_lock(77)")
            migrating = threads.submit(migrate, database)
            queue.until(
                """select exists (
                       select from pg_stat_activity
                       where application_name = 'pgqueue migrate' and wait_event = 'advisory'
                   )""",
                unless=migrating,
            )
            assert queue.value("select to_regproc('pgqueue.new')") is None
            assert settings(queue, IN_THE_CATALOGUE) == listed
        migrating.result(60)
    assert queue.value("select pgqueue.new()") == 1
    assert settings(queue, IN_THE_CATALOGUE) == listed
