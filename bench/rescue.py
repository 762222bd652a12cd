"""How soon tasks run again after the death of a worker process, and of a whole host.

A worker process is one of two of a supervisor. A host is a supervisor that is killed: its
processes die with it, and another supervisor finds out when the lease has run out. Default settings
otherwise.
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
    """Return the seconds from the kill to the next start of the task, for each kind of death."""
    with (
        server.database("bench") as dsn,
        tempfile.TemporaryDirectory() as directory,
        psycopg.connect(dsn, autocommit=True) as connection,
    ):
        system.install(dsn)
        starts = Path(directory) / "starts"
        starts.touch()
        variables = environment(system.environment(dsn), starts)
        command = [*system.worker(drain=False), "--processes", "2"]
        first = subprocess.Popen(command, env=variables)
        workers = [first]
        try:
            uvloop.run(_enqueue(dsn))
            _until(starts, 1)
            _until_registered(connection, 2)
            process_s = _kill(_holder(connection), starts, 2)
            workers.append(subprocess.Popen(command, env=variables))
            _until_registered(connection, 5)
            host_s = _kill(first.pid, starts, 3)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
    return {"process_s": process_s, "host_s": host_s}


async def _enqueue(dsn: str) -> None:
    async with PgQueue(dsn) as app:
        await app.enqueue("forever")


def _holder(connection: psycopg.Connection) -> int:
    """Return the pid of the process that runs the task."""
    row = connection.execute(
        """
        select w.pid
        from pgqueue_private.running as r
        join pgqueue_private.worker as w on w.id = r.worker_id
        """
    ).fetchone()
    assert row is not None
    return int(row[0])


def _kill(pid: int, starts: Path, expected: int) -> float:
    killed = time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    return (_until(starts, expected) - killed) / 1e9


def _until(starts: Path, expected: int) -> int:
    """Return the time of the last of the expected starts, by the machine's monotonic clock."""
    deadline = time.monotonic() + _LIMIT_S
    while len(lines := starts.read_text().splitlines()) < expected:
        if time.monotonic() > deadline:
            message = f"{len(lines)} of {expected} starts within {_LIMIT_S} s"
            raise TimeoutError(message)
        time.sleep(0.005)
    return int(lines[expected - 1].split()[1])


def _until_registered(connection: psycopg.Connection, workers: int) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while connection.execute("select from pgqueue_private.worker").rowcount < workers:
        if time.monotonic() > deadline:
            message = f"not {workers} workers registered within {_LIMIT_S} s"
            raise TimeoutError(message)
        time.sleep(0.005)
