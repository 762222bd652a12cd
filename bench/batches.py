"""What a batch costs: the same tasks drained by several worker processes, with and without one.

It also verifies the batch: at the end its counts are those of the tasks, and it has ended once.
"""

from __future__ import annotations

import subprocess

import orjson
import psycopg

from bench.load import BATCH, payload
from bench.server import Server
from bench.systems import System, environment

_LIMIT_S = 600
_SPAN = """
    select extract(epoch from max(a.finished_at) - min(a.started_at))::float8, count(*)
    from pgqueue_private.attempt as a
    join pgqueue_private.task as t on t.id = a.task_id
    where t.type = 'noop' and a.outcome = 'completed'
"""


def measure(server: Server, system: System, tasks: int, processes: int) -> dict[str, float]:
    """Return both rates, the server's CPU time per task, and the ratio of the rates."""
    figures: dict[str, float] = {}
    for name in ("without", "with"):
        with (
            server.database("bench") as dsn,
            psycopg.connect(dsn, autocommit=True) as connection,
        ):
            system.install(dsn)
            _enqueue(connection, tasks, in_a_batch=name == "with")
            before = server.read()
            subprocess.run(
                [*system.worker(drain=True), "--processes", str(processes)],
                env=environment(system.environment(dsn)),
                check=True,
                timeout=_LIMIT_S,
            )
            used = server.read() - before
            row = connection.execute(_SPAN).fetchone()
            assert row is not None
            seconds, finished = row
            assert finished == tasks, f"{finished:,} of {tasks:,}"
            if name == "with":
                _check(connection, tasks)
        figures[f"{name}_per_s"] = tasks / seconds
        figures[f"{name}_us"] = 1e6 * used.cpu_s / tasks
    return figures | {"ratio": figures["with_per_s"] / figures["without_per_s"]}


def _enqueue(connection: psycopg.Connection, tasks: int, *, in_a_batch: bool) -> None:
    batch_id = None
    if in_a_batch:
        callback = '{"type": "stamp", "payload": {"i": 0}}'
        row = connection.execute(
            "select id from pgqueue.create_batch('bench', on_complete => %s)", [callback]
        ).fetchone()
        assert row is not None
        batch_id = str(row[0])
    for first in range(0, tasks, BATCH):
        elements = [
            {"type": "noop", "payload": payload(n), **({"batch_id": batch_id} if batch_id else {})}
            for n in range(first, min(first + BATCH, tasks))
        ]
        connection.execute("select pgqueue.enqueue_many(%s)", [orjson.dumps(elements).decode()])
    if batch_id:
        connection.execute("select pgqueue.close_batch(%s)", [batch_id])


def _check(connection: psycopg.Connection, tasks: int) -> None:
    row = connection.execute(
        """
        select status, total, waiting, active, completed, failed, cancelled,
            (select count(*) from pgqueue_private.task where batch_id is null)
        from pgqueue.batches
        """
    ).fetchone()
    assert row == ("completed", tasks, 0, 0, tasks, 0, 0, 1), row
