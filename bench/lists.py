"""How long a page of a list takes beside many tasks that have ended.

The tasks are created by SQL, all of one type, and completed: some in one minute, as a bulk is, or
spread over the whole day. The clock of the service stands at the end of that day. What is asked for
is the page that a person sees first: of everything, of what is frequent, of what is rare.
"""

from __future__ import annotations

import statistics
import time

import psycopg
from psycopg.types.json import Jsonb

from bench.server import Server
from bench.systems import System

BULK = 60_000
PLACES = {"bulk": 30, "day": 86_000}  # and the seconds over which their tasks are spread
PAGES: dict[str, dict[str, str]] = {
    "all": {},
    "completed": {"status": "completed"},
    "type": {"type": "usual"},
    "queue": {"queue": "busy"},
    "failed": {"status": "failed"},
    "cancelled": {"status": "cancelled", "type": "usual"},
    "active": {"status": "active"},
    "unknown_type": {"type": "unheard"},
    "unknown_queue": {"queue": "unheard"},
}
_CALLS = 21
_ROWS = 50
_LAST_MINUTE = """
select pgqueue_private.shift_clock(
    date_trunc('day', clock_timestamp(), 'UTC') + interval '23:59:50' - clock_timestamp()
)
"""
_TASKS = """
insert into pgqueue_private.task (id, created_at, seq, queue, type, payload)
select
    pgqueue_private.new_id(pgqueue_private.id_bits(at), n), at, n, 'busy', 'usual',
    '{"text": "sixty bytes or so of what a task is told"}'
from (
    select
        n, date_trunc('day', pgqueue.clock(), 'UTC') + interval '23:58'
        - (%(tasks)s - n) * %(seconds)s * interval '1 second' / %(tasks)s as at
    from generate_series(%(first)s::bigint, %(last)s::bigint) as n
) as made
"""
_ENDED = """
insert into pgqueue_private.attempt (
    task_id, lease_id, user_id, started_at, finished_at, attempt, final, outcome, result
)
select id, seq, 0, created_at, created_at + interval '2 minutes', 1, true, 'completed', 'null'
from pgqueue_private.task
"""
_COUNTED = """
insert into pgqueue_private.rollup_flush (
    minute, created_minute, n, final, queue, type, outcome, waits, runs
)
select
    date_bin('1 minute', created_at + interval '2 minutes', 'epoch'),
    date_bin('1 minute', created_at, 'epoch'), count(*), true, queue, type, 'completed', '{}', '{}'
from pgqueue_private.task
group by 1, 2, queue, type
"""
_PAGE = f"""
select cardinality(items), next_before
from pgqueue_private.list_tasks(
    %s, '-infinity', 'infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff', {_ROWS}
)
"""


_ONE_FAILED = """
with one as (
    select task_id from pgqueue_private.attempt order by task_id offset %(tasks)s / 2 limit 1
),
again as (
    insert into pgqueue_private.attempt (
        task_id, lease_id, user_id, started_at, finished_at, attempt, final, outcome
    )
    select task_id, 1000000000, 0, clock_timestamp(), clock_timestamp(), 2, true, 'failed'
    from one
)
insert into pgqueue_private.rollup_flush (
    minute, created_minute, n, final, queue, type, outcome, waits, runs
)
select
    date_bin('1 minute', t.created_at, 'epoch'), date_bin('1 minute', t.created_at, 'epoch'), 1,
    true, t.queue, t.type, 'failed', '{}', '{}'
from pgqueue_private.task as t
join one on one.task_id = t.id
"""
_WAITING = """
select pgqueue.enqueue_many(jsonb_agg(jsonb_build_object('type', 'usual', 'queue', 'busy')))
from generate_series(1, 10000)
"""


def measure(server: Server, system: System, tasks: int) -> dict[str, float]:
    """Return the median time of each page, in milliseconds."""
    figures = {}
    for place, seconds in PLACES.items():
        with (
            server.database("bench") as dsn,
            psycopg.connect(dsn, autocommit=True) as connection,
        ):
            system.install(dsn)
            _fill(connection, min(tasks, BULK) if place == "bulk" else tasks, seconds)
            for name, filter in PAGES.items():
                figures[f"{place}_{name}_ms"] = _page(connection, filter)
            if place == "bulk":
                connection.execute(_ONE_FAILED, {"tasks": min(tasks, BULK)})
                connection.execute("select pgqueue_private.fold_rollups()")
                figures["bulk_one_failed_ms"] = _page(connection, {"status": "failed"})
                for _ in range(BULK // 10_000):
                    connection.execute(_WAITING)
                figures["waiting_unknown_type_ms"] = _page(connection, {"type": "unheard"})
                queued = {"type": "unheard", "status": "queued"}
                figures["waiting_unknown_queued_ms"] = _page(connection, queued)
    return figures


def _fill(connection: psycopg.Connection, tasks: int, seconds: int) -> None:
    connection.execute(_LAST_MINUTE)
    step = 200_000  # new_id() counts to 262,143 within a time
    for first in range(1, tasks + 1, step):
        last = min(tasks, first + step - 1)
        connection.execute(
            _TASKS, {"tasks": tasks, "seconds": seconds, "first": first, "last": last}
        )
    connection.execute(_ENDED)
    connection.execute(_COUNTED)
    connection.execute("select pgqueue_private.fold_rollups()")
    connection.execute("checkpoint")


def _page(connection: psycopg.Connection, filter: dict[str, str]) -> float:
    """Ask for a page again and again; it must be full, or everything must be searched."""
    took = []
    for _ in range(_CALLS):
        began = time.perf_counter()
        row = connection.execute(_PAGE, [Jsonb(filter)]).fetchone()
        took.append(1000 * (time.perf_counter() - began))
        assert row is not None
    rows, more = row
    assert rows == _ROWS or more is None, f"{filter}: {rows} found, and not all is searched"
    return statistics.median(took)
