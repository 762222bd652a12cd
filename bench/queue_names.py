"""The latency in a database in which many queues have existed, against one in which none has."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from bench import latency
from bench.server import Server
from bench.systems import System, environment
from bench.two_apps import compared

_STEP = 10_000
_FILL = """
    select pgqueue.enqueue_many(
        jsonb_agg(jsonb_build_object('type', 'noop', 'queue', 'once-' || n))
    )
    from generate_series(%s::int, %s::int) as n
"""


def measure(server: Server, system: System, seconds: float, names: int) -> dict[str, float]:
    """Return the percentiles without and with that many names, and their ratios."""

    @contextmanager
    def once_used(dsn: str) -> Iterator[None]:
        with psycopg.connect(dsn, autocommit=True) as connection:
            for first in range(0, names, _STEP):
                connection.execute(_FILL, [first + 1, min(first + _STEP, names)])
            connection.execute("select pgqueue_private.sample_queues()")  # each gets its row
        subprocess.run(
            system.worker(drain=True), env=environment(system.environment(dsn)), check=True
        )
        yield

    return compared(
        latency.measure(server, system, seconds),
        latency.measure(server, system, seconds, once_used),
    )
