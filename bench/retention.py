"""How claims fare while a day of finished tasks is pruned: ``python -m bench.retention``.

The tasks are created by SQL. Meanwhile probers enqueue, claim and finish ten tasks at a time, and a
watcher reads from ``pg_locks`` for how long the tables of facts are locked against readers.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from bench.server import Server, fresh_server
from pgqueue.database.migrations import migrate

_FILL = """
insert into pgqueue_private.task (id, created_at, seq, queue, type, payload)
select
    pgqueue_private.new_id(pgqueue_private.id_bits(at), n), at, n, 'old', 't',
    '{"text": "sixty bytes or so of what a task is told"}'
from (
    select n, %(day)s::date + n * interval '86399 seconds' / %(tasks)s as at
    from generate_series(%(first)s::bigint, %(last)s::bigint) as n
) as made;
"""
_FINISH = """
insert into pgqueue_private.attempt (
    task_id, lease_id, user_id, started_at, finished_at, attempt, final, outcome
)
select id, seq, 0, created_at, created_at, 1, true, 'completed'
from pgqueue_private.task
where queue = 'old';
"""
_COUNT = """
insert into pgqueue_private.rollup_flush (
    minute, created_minute, n, final, queue, type, outcome, waits, runs
)
select m, m, %(tasks)s / 1440, true, 'old', 't', 'completed', '{}', '{}'
from generate_series(%(day)s::date, %(day)s::date + interval '86340 s', '1 minute') as m;
"""
_WAITING = """
insert into pgqueue_private.delayed (task_id, run_at, budget, priority, queue, status)
select id, pgqueue.clock() + interval '30 days', 3, 5, 'old', 'scheduled'
from pgqueue_private.task where queue = 'old' and seq %% %(each)s = 0;
"""
_UNENDED = "delete from pgqueue_private.attempt where lease_id %% %(each)s = 0;"
_ENQUEUE = """
select pgqueue.enqueue_many((select jsonb_agg('{"type": "t"}'::jsonb) from generate_series(1, %s)))
"""
_LOCKS = """
select l.pid, l.relation
from pg_locks as l
join pg_class as c on c.oid = l.relation
where l.mode = 'AccessExclusiveLock' and l.granted
    and c.relname in ('task', 'attempt', 'task_event', 'artifact', 'checkpoint')
"""


@dataclass
class Seen:
    """What the probers and the watcher saw, while ``on``: the times of calls, in ms."""

    on: bool = True
    calls_ms: dict[str, list[tuple[float, float]]] = field(
        default_factory=lambda: {"enqueue": [], "claim": [], "finish": []}
    )
    longest_lock_ms: float = 0.0

    @contextmanager
    def timed(self, call: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.calls_ms[call].append((began, 1000 * (time.perf_counter() - began)))

    def within(self, call: str, start: float, end: float) -> list[float]:
        return sorted(ms for at, ms in self.calls_ms[call] if start <= at <= end)


def _enqueue(dsn: str, seen: Seen) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        while seen.on:
            with seen.timed("enqueue"):
                connection.execute(_ENQUEUE, [10])
            time.sleep(0.005)


def _claim(dsn: str, seen: Seen) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        (worker,) = connection.execute(
            "select pgqueue_private.register_worker('s', 'h', "
            "1, '1', '{default}', '{}', 10, 100000)"
        ).fetchone()
        while seen.on:
            with seen.timed("claim"):
                leases = connection.execute(
                    "select task_id, lease_id "
                    "from pgqueue_private.claim(%s, '{default}', null, 10)",
                    [worker],
                ).fetchall()
            with seen.timed("finish"):
                connection.execute(
                    "select pgqueue_private.finish('[]', %s::uuid[], %s)",
                    [[str(lease[0]) for lease in leases], [lease[1] for lease in leases]],
                )
            time.sleep(0.005)


def _watch(dsn: str, seen: Seen) -> None:
    held: dict[tuple[int, int], float] = defaultdict(float)
    with psycopg.connect(dsn, autocommit=True) as connection:
        while seen.on:
            now = time.perf_counter()
            current = {tuple(row) for row in connection.execute(_LOCKS)}
            for lock in current:
                seen.longest_lock_ms = max(
                    seen.longest_lock_ms, 1000 * (now - held.setdefault(lock, now))
                )
            for lock in held.keys() - current:
                del held[lock]
            time.sleep(0.001)


def _fill(connection: psycopg.Connection, tasks: int, survivors: int) -> str:
    (day,) = connection.execute("select (pgqueue.clock() at time zone 'utc')::date - 10").fetchone()
    connection.execute("select pgqueue.ensure_partitions(%s, 1)", [day])
    step = 200_000  # new_id() counts to 262,143 within a time
    for first in range(1, tasks + 1, step):
        bounds = {"first": first, "last": min(tasks, first + step - 1), "tasks": tasks, "day": day}
        connection.execute(_FILL, bounds)
    connection.execute(_FINISH)
    if survivors:
        each = {"each": tasks // survivors}
        connection.execute(_WAITING, each)
        connection.execute(_UNENDED, each)
    connection.execute(_COUNT, {"tasks": tasks, "day": day})
    connection.execute("select pgqueue_private.fold_rollups()")
    connection.execute("vacuum analyze")
    connection.execute("checkpoint")
    return day


def measure(server: Server, tasks: int, survivors: int, rest_s: float) -> dict[str, float]:
    """Return how long calls took before and during the pruning, and the longest lock."""
    with server.database("bench") as dsn:
        migrate(dsn)
        with psycopg.connect(dsn, autocommit=True) as connection:
            day = _fill(connection, tasks, survivors)
            connection.execute(_ENQUEUE, [50_000])  # so that no claim returns nothing
            seen = Seen()
            threads = [
                threading.Thread(target=f, args=(dsn, seen)) for f in (_enqueue, _claim, _watch)
            ]
            for thread in threads:
                thread.start()
            began = time.perf_counter()
            time.sleep(rest_s)
            start = time.perf_counter()
            did, kept = connection.execute(
                "select did, kept from pgqueue_private.prune_day(%s)", [day]
            ).fetchone()
            connection.execute("select pgqueue_private.forget_day(%s)", [day])
            end = time.perf_counter()
            time.sleep(1)
            seen.on = False
            for thread in threads:
                thread.join()
            assert kept == survivors, (did, kept)
            during = (start - 0.5, end + 1)  # including the waits of calls that were under way
            figures = {"prune_s": end - start, "longest_lock_ms": seen.longest_lock_ms}
            for call in seen.calls_ms:
                before, then = seen.within(call, began, start - 0.5), seen.within(call, *during)
                figures |= {
                    f"{call}_p99_before_ms": before[int(0.99 * (len(before) - 1))],
                    f"{call}_p99_during_ms": then[int(0.99 * (len(then) - 1))],
                    f"{call}_slowest_ms": then[-1],
                }
            return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.retention")
    parser.add_argument("--tasks", type=int, default=10_000_000)
    parser.add_argument("--survivors", type=int, default=1_000)
    parser.add_argument("--rest", type=float, default=15, help="seconds of claims before")
    options = parser.parse_args()
    with fresh_server() as server:
        figures = measure(server, options.tasks, options.survivors, options.rest)
    for name, value in figures.items():
        print(f"{name:22} {value:10,.1f}")
    ratio = figures["claim_p99_during_ms"] / figures["claim_p99_before_ms"]
    print(f"claims' p99 during the pruning {ratio:.2f} × before (goal: ≤ 2)")
    print(f"longest lock {figures['longest_lock_ms']:.0f} ms (goal: ≤ 100)")


if __name__ == "__main__":
    main()
