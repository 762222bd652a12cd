"""How soon the tasks of what died run again: a worker process, and a whole host.

A host is a supervisor that is killed: its processes die with it, and another one elsewhere finds out
when the lease has run out. Both with the default settings.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import uvloop

from bench.server import Server
from bench.systems import System, environment
from pgqueue import PgQueue

_LIMIT_S = 60


def measure(server: Server, system: System) -> dict[str, float]:
    """Give the seconds from the kill to the next start of the task, for each kind of death."""
    with (
        server.database("bench") as dsn,
        tempfile.TemporaryDirectory() as directory,
        psycopg.connect(dsn, autocommit=True) as connection,
    ):
        system.install(dsn)
        starts = Path(directory) / "starts"
        starts.touch()
        variables = environment(system.environment(dsn), starts)
        first = subprocess.Popen(system.worker(drain=False), env=variables)
        workers = [first]
        try:
            uvloop.run(_enqueue(dsn))
            _until(starts, 1)
            row = connection.execute("select pid from pgqueue.worker").fetchone()
            assert row is not None
            process_s = _kill(row[0], starts, 2)
            workers.append(subprocess.Popen(system.worker(drain=False), env=variables))
            _until_registered(connection, 3)
            host_s = _kill(first.pid, starts, 3)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
    return {"process_s": process_s, "host_s": host_s}


async def _enqueue(dsn: str) -> None:
    async with PgQueue(dsn) as app:
        await app.enqueue("forever")


def _kill(pid: int, starts: Path, expected: int) -> float:
    killed = time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    return (_until(starts, expected) - killed) / 1e9


def _until(starts: Path, expected: int) -> int:
    """Give when the last of the expected starts was, by the machine's monotonic clock."""
    deadline = time.monotonic() + _LIMIT_S
    while len(lines := starts.read_text().splitlines()) < expected:
        if time.monotonic() > deadline:
            message = f"{len(lines)} of {expected} starts within {_LIMIT_S} s"
            raise TimeoutError(message)
        time.sleep(0.005)
    return int(lines[expected - 1].split()[1])


def _until_registered(connection: psycopg.Connection, workers: int) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while connection.execute("select from pgqueue.worker").rowcount < workers:
        if time.monotonic() > deadline:
            message = "the second supervisor did not register"
            raise TimeoutError(message)
        time.sleep(0.005)
