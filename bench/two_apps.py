"""The latency of an app beside the backlog of another one, in the same database and queue."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from bench import latency
from bench.server import Server
from bench.systems import System, environment

_BACKLOG = 100_000
_LIMIT_S = 30
_RUNNING = "select count(*) from pgqueue_private.running"
_FILL = """
    select pgqueue.enqueue_many(jsonb_agg(jsonb_build_object('type', 'foreign')))
    from generate_series(1, %s)
"""


def measure(server: Server, system: System, seconds: float) -> dict[str, float]:
    """Return the percentiles of the app alone and beside the other one, and their ratios."""

    @contextmanager
    def other_app(dsn: str) -> Iterator[None]:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(_FILL, [_BACKLOG])
        command = [str(Path(sys.executable).with_name("pgqueue")), "worker"]
        command += ["--app", "bench.other_app:app"]
        worker = subprocess.Popen(command, env=environment(system.environment(dsn)))
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                while connection.execute(_RUNNING).fetchone() == (0,):
                    time.sleep(0.1)
            yield
        finally:
            worker.kill()
            worker.wait(_LIMIT_S)

    return compared(
        latency.measure(server, system, seconds),
        latency.measure(server, system, seconds, other_app),
    )


def compared(alone: dict[str, float], beside: dict[str, float]) -> dict[str, float]:
    """Return the figures of both, and the ratios of their percentiles."""
    figures = {f"{name}_alone": alone[name] for name in ("p50_ms", "p99_ms", "server_us")}
    figures |= {f"{name}_beside": beside[name] for name in ("p50_ms", "p99_ms", "server_us")}
    return figures | {
        f"{name}_ratio": beside[name] / alone[name] for name in ("p50_ms", "p99_ms", "server_us")
    }
