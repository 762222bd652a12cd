"""Holds what ran against what limits allow, by starts and ends alone.

It reads the view of attempts and the settings as anyone could, and nothing that claims count by:
``python -m tests.ledger postgresql://…`` prints what was exceeded, and fails if anything was.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

_RUNS = """
select a.started_at, a.finished_at, t.queue, t.limit_key, t.cost
from pgqueue.attempts as a
join pgqueue.tasks as t on t.id = a.task_id
"""


@dataclass(frozen=True)
class Run:
    """An attempt: when it started and ended (None: it still runs), and what it cost."""

    started_at: datetime
    finished_at: datetime | None
    cost: int = 1


def max_at_once(runs: Iterable[Run]) -> int:
    """Return the most cost that ran at one moment, where one alone counts as one."""
    moves = []
    for n, run in enumerate(runs):
        moves.append((run.started_at, 1, n, run.cost))
        if run.finished_at is not None:
            moves.append((run.finished_at, 0, n, run.cost))  # before a start of the same moment
    now: dict[int, int] = {}
    peak = 0
    for _, is_start, n, cost in sorted(moves):
        if is_start:
            now[n] = cost
            peak = max(peak, sum(now.values()) if len(now) > 1 else 1)
        else:
            now.pop(n, None)
    return peak


def max_starts(runs: Iterable[Run], span: timedelta) -> int:
    """Return the most cost that starts within any span, where one alone counts as one."""
    starts = sorted(runs, key=lambda run: run.started_at)
    peak = first = cost = 0
    for last, run in enumerate(starts):
        cost += run.cost
        while starts[first].started_at <= run.started_at - span:
            cost -= starts[first].cost
            first += 1
        peak = max(peak, cost if last > first else 1)
    return peak


def exceeded(name: str, limit: dict[str, Any], runs: list[Run]) -> Iterator[str]:
    """Say what of a limit was exceeded."""
    if limit.get("concurrency") and (peak := max_at_once(runs)) > limit["concurrency"]:
        yield f"{name}: {peak} at once, not {limit['concurrency']}"
    for rate in limit.get("rate") or []:
        peak = max_starts(runs, timedelta(seconds=rate["per_seconds"]))
        if peak > rate["count"]:
            yield f"{name}: {peak} starts, not {rate['count']}, in {rate['per_seconds']:g} s"


def broken(dsn: str) -> list[str]:
    """Return all limits of a database that its attempts exceeded."""
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        queues = connection.execute("select * from pgqueue.queues").fetchall()
        limits = connection.execute("select * from pgqueue.limits").fetchall()
        rows = connection.execute(_RUNS).fetchall()
    of_queue: dict[str, list[Run]] = defaultdict(list)
    of_key: dict[tuple[str, str], list[Run]] = defaultdict(list)
    of_name: dict[str, list[Run]] = defaultdict(list)
    for row in rows:
        run = Run(row["started_at"], row["finished_at"], row["cost"])
        of_queue[row["queue"]].append(run)
        if row["limit_key"] is not None:
            of_key[row["queue"], row["limit_key"]].append(run)
            of_name[row["limit_key"]].append(run)
    found: list[str] = []
    for limit in limits:
        found += exceeded(limit["name"], limit, of_name[limit["name"]])
    names = {limit["name"] for limit in limits}
    for queue in queues:
        found += exceeded(queue["name"], queue, of_queue[queue["name"]])
        for (name, key), runs in of_key.items():
            if name == queue["name"] and key not in names:
                found += exceeded(f"{name}/{key}", queue["per_key"] or {}, runs)
    return found


if __name__ == "__main__":
    problems = broken(sys.argv[1])
    print("\n".join(problems) or "no limit was exceeded")
    sys.exit(bool(problems))
