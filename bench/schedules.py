"""How long schedulers take to enqueue the schedules that are due in one minute.

The schedules are due every hour, in five zones; the clock of the service is shifted to a minute at
which all of them are due. The tasks go to a queue that nobody serves.
"""

from __future__ import annotations

import subprocess
import time

import psycopg

from bench.server import Server
from bench.systems import System, environment

_LIMIT_S = 600
_MAKE = """
select count(pgqueue.set_schedule(
    'schedule-' || n, 'noop', payload => jsonb_build_object('n', n),
    options => '{"queue": "scheduled"}', cron => '30 * * * *',
    timezone => (array['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Tokyo', 'Africa/Lagos'])
        [mod(n, 5) + 1]
))
from generate_series(1, %s) as n
"""


def measure(server: Server, system: System, schedules: int) -> dict[str, float]:
    """Return the seconds from the due time to the last of its tasks, by the database's clock."""
    figures = {}
    for supervisors, name in ((1, "one_s"), (2, "two_s")):
        with (
            server.database("bench") as dsn,
            psycopg.connect(dsn, autocommit=True) as connection,
        ):
            system.install(dsn)
            connection.execute(_MAKE, [schedules])
            command = [*system.worker(drain=False), "--queues", "nobody"]
            variables = environment(system.environment(dsn))
            workers = [subprocess.Popen(command, env=variables) for _ in range(supervisors)]
            try:
                _until(
                    connection,
                    "select not exists (select from pgqueue_private.schedule "
                    "where next_due_at is null)",
                )
                connection.execute(
                    """
                    select pgqueue_private.shift_clock(
                        (select max(next_due_at) from pgqueue_private.schedule) - clock_timestamp()
                    )
                    """
                )
                _until(
                    connection, f"select count(*) = {schedules} from pgqueue_private.schedule_slot"
                )
            finally:
                for worker in workers:
                    worker.kill()
                    worker.wait()
            row = connection.execute(
                """
                select extract(epoch from max(at) - max(due_at)), count(distinct task_id),
                    count(*) filter (where fate = 'enqueued')
                from pgqueue_private.schedule_slot
                """
            ).fetchone()
            assert row is not None
            took, tasks, enqueued = row
            assert tasks == enqueued == schedules, row
            figures[name] = float(took)
    return figures


def _until(connection: psycopg.Connection, condition: str) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while True:
        row = connection.execute(condition).fetchone()
        if row is not None and row[0]:
            return
        if time.monotonic() > deadline:
            message = f"not within {_LIMIT_S} s: {condition}"
            raise TimeoutError(message)
        time.sleep(0.1)
