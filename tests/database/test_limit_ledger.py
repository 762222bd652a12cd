"""Limits hold while many claim at once and sessions die; who judges reads starts and ends.

As long as PGQUEUE_TEST_LIMITS_S says, 4 s if it does not: `make limits` takes a minute.
"""

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import psycopg
import pytest

from tests import ledger
from tests.database.queue import Queue
from tests.database.test_keys import named
from tests.database.test_limits import claim, limit

pytestmark = pytest.mark.usefixtures("running_clock")

_SECONDS = float(os.environ.get("PGQUEUE_TEST_LIMITS_S", "4"))
_CLAIMERS = 16
_AT = datetime(2026, 1, 1, tzinfo=UTC)


def _run(start: float, end: float | None, cost: int = 1) -> ledger.Run:
    return ledger.Run(
        _AT + timedelta(seconds=start),
        None if end is None else _AT + timedelta(seconds=end),
        cost,
    )


@pytest.mark.parametrize(
    ("runs", "at_once", "starts"),
    [
        ([], 0, 0),
        ([_run(0, 1), _run(1, 2)], 1, 1),
        ([_run(0, 1.5), _run(0.9, 2), _run(1, 2)], 3, 2),
        ([_run(0, None), _run(5, None), _run(5, 5)], 3, 2),
        ([_run(0, 1, 9)], 1, 1),  # alone: whatever it costs
        ([_run(0, 1, 9), _run(0.5, 2)], 10, 10),
    ],
)
def test_the_ledger_counts_by_hand(runs: list[ledger.Run], at_once: int, starts: int) -> None:
    assert ledger.max_at_once(runs) == at_once
    assert ledger.max_starts(runs, timedelta(seconds=1)) == starts


def _claimer(queue: Queue, done: Event, seed: int) -> int:
    """Claim, hold and finish; when the session is cut, begin anew and have the old one rescued."""
    chance = random.Random(seed)
    session = queue.session()
    worker = session.worker(3600)
    started = 0
    while not done.is_set():
        try:
            name = chance.choice(("one", "two"))
            leases = claim(session, worker, chance.randint(1, 4), name)
            started += len(leases)
            done.wait(chance.uniform(0, 0.02))
            for lease in leases:
                outcome = chance.choices(("completed", "failed", "released"), (8, 1, 1))[0]
                session.finish(lease, outcome=outcome, delay_s=0.01)
        except psycopg.OperationalError:
            session = queue.session()
            session.rescue(worker)
            worker = session.worker(3600)
    return started


def _keep(queue: Queue, done: Event) -> None:
    session = queue.session()
    while not done.wait(0.02):
        session.promote()
        session.rows("select * from pgqueue_private.unblock_waiting()")


def _cut(queue: Queue, keeper: int, done: Event) -> int:
    session = queue.session()
    cut = 0
    mine = [session.connection.info.backend_pid, queue.connection.info.backend_pid, keeper]
    while not done.wait(0.05):
        cut += session.value(
            """select count(pg_terminate_backend(pid)) from (
                   select pid from pg_stat_activity
                   where datname = current_database() and pid <> all (%s)
                       and query like '%%claim_limited%%'
                   order by random() limit 1
               ) as one""",
            mine,
        )
    return cut


@pytest.mark.unpooled("it cuts sessions by their pid, and spares its own")
def test_no_limit_is_ever_exceeded_while_sessions_die(queue: Queue, database: str) -> None:
    rate = '[{"count": 30, "per_seconds": 0.5}, {"count": 200, "per_seconds": 5}]'
    limit(queue, f'{{"concurrency": 6, "rate": {rate}}}', "one")
    limit(queue, '{"concurrency": 9, "per_key": {"concurrency": 2}}', "two")
    smooth = [{"count": 40, "per_seconds": 1, "smooth": True}]
    named(queue, "a", concurrency=3, rate=smooth)
    tasks = [
        {
            "type": "t",
            "queue": chance.choice(("one", "two")),
            "limit_key": chance.choice(("a", "b", "c", None)),
            "cost": chance.choices((1, 2, 3, 12), (90, 6, 3, 1))[0],
            "priority": chance.randint(4, 6),
            "max_attempts": 1000,
        }
        for chance in [random.Random(7)]
        for _ in range(int(800 * _SECONDS))
    ]
    for start in range(0, len(tasks), 5000):
        queue.enqueue_many(*tasks[start : start + 5000])

    done = Event()
    keeper = queue.session()
    with ThreadPoolExecutor(_CLAIMERS + 2) as threads:
        claimers = [threads.submit(_claimer, queue, done, n) for n in range(_CLAIMERS)]
        keeping = threads.submit(_keep, keeper, done)
        cutting = threads.submit(_cut, queue, keeper.connection.info.backend_pid, done)
        time.sleep(_SECONDS)  # what happens in this time is judged afterwards
        done.set()
        started = sum(claimer.result() for claimer in claimers)
        keeping.result()
        cut = cutting.result()
    print(started, cut)
    assert started > 10 * _SECONDS
    assert cut > _SECONDS
    assert ledger.broken(database) == []
