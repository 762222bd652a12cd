"""Bulk enqueue, then drain with one worker process: rates, CPU on both sides, WAL."""

from __future__ import annotations

import resource
import subprocess
import time

import psycopg
import uvloop

from bench.load import BATCH
from bench.server import Server
from bench.systems import System, environment

_LIMIT_S = 120


def measure(server: Server, system: System, tasks: int) -> dict[str, float]:
    """Return the figures of one run."""
    with server.database("bench") as dsn:
        system.install(dsn)
        start_cpu = drain(system, dsn)  # with an empty queue: the cost of starting a worker
        before = server.read()
        enqueue_s, enqueue_cpu = uvloop.run(enqueue(system, dsn, tasks))
        between = server.read()
        drain_cpu = drain(system, dsn) - start_cpu
        after = server.read()
        with psycopg.connect(dsn) as connection:
            row = connection.execute(system.span).fetchone()
    assert row is not None
    drain_s, finished = row
    if finished != tasks:
        raise RuntimeError(f"{system.name} finished {finished:,} of {tasks:,} tasks")
    enqueued, drained = between - before, after - between
    return {
        "enqueue_per_s": tasks / enqueue_s,
        "drain_per_s": tasks / drain_s,
        "server_us_enqueue": 1e6 * enqueued.cpu_s / tasks,
        "server_us_drain": 1e6 * drained.cpu_s / tasks,
        "server_us": 1e6 * (enqueued.cpu_s + drained.cpu_s) / tasks,
        "client_us_enqueue": 1e6 * enqueue_cpu / tasks,
        "client_us_drain": 1e6 * max(0.0, drain_cpu) / tasks,
        "wal_enqueue": enqueued.wal / tasks,
        "wal_drain": drained.wal / tasks,
        "wal": (enqueued.wal + drained.wal) / tasks,
    }


async def enqueue(system: System, dsn: str, tasks: int) -> tuple[float, float]:
    """Enqueue, and return the seconds and our own CPU seconds that it took."""
    async with system.producer(dsn) as producer:
        began, cpu = time.perf_counter(), time.process_time()
        for first in range(0, tasks, BATCH):
            await producer.enqueue_many(range(first, min(first + BATCH, tasks)))
        return time.perf_counter() - began, time.process_time() - cpu


def drain(system: System, dsn: str) -> float:
    """Run a worker until the queue is empty; return the CPU seconds of it and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        system.worker(drain=True),
        env=environment(system.environment(dsn)),
        check=True,
        timeout=_LIMIT_S,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
