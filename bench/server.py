"""The PostgreSQL of a benchmark: fresh, in a temporary directory, durable."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from pgqueue.embedded import EmbeddedServer

SETTINGS = {"fsync": "on", "shared_buffers": "1GB", "max_wal_size": "8GB"}


@dataclass(frozen=True)
class Reading:
    """What the server has used so far: CPU seconds of all its processes, and bytes of WAL."""

    cpu_s: float
    wal: int

    def __sub__(self, earlier: Reading) -> Reading:
        return Reading(self.cpu_s - earlier.cpu_s, self.wal - earlier.wal)


class Server:
    """A running server; each run gets a database of its own."""

    def __init__(self, embedded: EmbeddedServer) -> None:
        self._embedded = embedded
        self._admin = psycopg.connect(embedded.dsn("postgres"), autocommit=True)
        assert embedded.pid is not None
        self._postmaster = psutil.Process(embedded.pid)

    def close(self) -> None:
        self._admin.close()

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """Return the address of an empty database, dropped after use.

        It starts after a checkpoint, so that each run pays for its own full-page images and not for
        those of another run.
        """
        self._admin.execute(f'drop database if exists "{name}" with (force)')
        self._admin.execute(f'create database "{name}"')
        self._admin.execute("checkpoint")
        try:
            yield self._embedded.dsn(name)
        finally:
            self._admin.execute(f'drop database "{name}" with (force)')

    def read(self) -> Reading:
        """Read the meters. A process that has ended counts in its parent's."""
        cpu = 0.0
        for process in [self._postmaster, *self._postmaster.children()]:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            cpu += times.user + times.system
            if process is self._postmaster:
                cpu += times.children_user + times.children_system
        row = self._admin.execute("select pg_current_wal_insert_lsn() - '0/0'").fetchone()
        assert row is not None
        return Reading(cpu, int(row[0]))

    def value(self, statement: str) -> str:
        """Return the one value of a query."""
        row = self._admin.execute(statement).fetchone()
        assert row is not None
        return str(row[0])


@contextmanager
def fresh_server() -> Iterator[Server]:
    """Run a fresh server, and leave nothing behind."""
    with (
        tempfile.TemporaryDirectory(prefix="pgqueue-bench-") as directory,
        EmbeddedServer(Path(directory), settings=SETTINGS) as embedded,
    ):
        server = Server(embedded)
        try:
            yield server
        finally:
            server.close()


def backend_cpu(connection: psycopg.Connection) -> float:
    """Return the CPU seconds that the server process of a connection has used."""
    times = psutil.Process(connection.info.backend_pid).cpu_times()
    return times.user + times.system
