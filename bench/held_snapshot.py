"""What tasks cost while a transaction holds its snapshot, as a long report or pg_dump does.

Rows that die meanwhile cannot be removed. Tasks are enqueued and drained in steps, each by a fresh
worker; the figures of the last step are compared with those of the first.
"""

from __future__ import annotations

import psycopg
import uvloop

from bench.drain import drain, enqueue
from bench.server import Server
from bench.systems import System

STEP = 50_000
TASKS = 350_000


def measure(server: Server, system: System, tasks: int, step: int) -> dict[str, float]:
    """Return µs per task of the first and the last step, and the ratio of the two."""
    with server.database("bench") as dsn:
        system.install(dsn)
        with psycopg.connect(dsn, autocommit=True) as admin, psycopg.connect(dsn) as holder:
            admin.execute("alter database bench set track_functions = 'pl'")
            holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            holder.execute("select count(*) from pg_class")  # from here on its snapshot is held
            steps = [_step(server, system, dsn, admin, step) for _ in range(max(2, tasks // step))]
            holder.rollback()
    first, last = steps[0], steps[-1]
    figures = {f"{name}_first": value for name, value in first.items()}
    figures |= {f"{name}_last": value for name, value in last.items()}
    return figures | {
        f"{name}_ratio": last[name] / value for name, value in first.items() if value > 0
    }


def _step(
    server: Server, system: System, dsn: str, admin: psycopg.Connection, tasks: int
) -> dict[str, float]:
    uvloop.run(enqueue(system, dsn, tasks))
    calls = _calls(admin, system)
    before = server.read()
    drain(system, dsn)
    used = server.read() - before
    return {
        "server_us": 1e6 * used.cpu_s / tasks,
        "calls_us": 1e6 * (_calls(admin, system) - calls) / tasks,
    }


def _calls(admin: psycopg.Connection, system: System) -> float:
    """Return the seconds spent in calls so far; a worker reports its last ones as it ends."""
    row = admin.execute(
        """
        select coalesce(sum(total_time), 0) / 1000
        from pg_stat_user_functions
        where schemaname || '.' || funcname = any (%s)
        """,
        [list(system.calls)],
    ).fetchone()
    assert row is not None
    return float(row[0])
