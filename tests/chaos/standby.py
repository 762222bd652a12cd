"""A primary and its synchronous standby, which take turns."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgqueue.embedded import EmbeddedServer
from pgqueue.embedded.account import Account
from tests.servers import binaries
from tests.worker.conftest import eventually

__all__ = ["Pair", "pair"]

_SETTINGS = {"shared_buffers": "64MB"}


class Pair:
    """Two servers, each at an address that it keeps; commits on one wait for the disk of the other.

    ``dsn`` names both, and whichever takes writes is meant.
    """

    def __init__(self, directory: Path, major: str) -> None:
        self.primary, self.standby = (
            EmbeddedServer(directory / name, binaries=binaries(major), settings=_SETTINGS)
            for name in ("a", "b")
        )
        self.primary.start()
        (directory / "b").mkdir()
        hosts = [str(conninfo_to_dict(server.dsn())["host"]) for server in self._both]
        self.dsn = make_conninfo(
            self.primary.dsn(),
            host=",".join(hosts),
            port="5432,5432",
            target_session_attrs="read-write",
        )

    @property
    def _both(self) -> tuple[EmbeddedServer, EmbeddedServer]:
        return self.primary, self.standby

    def rebuild(self) -> None:
        """Make the standby of the primary as it is now, and have commits wait for it."""
        self.standby.stop()
        cluster, copied = (server.data_dir / "postgresql" for server in self._both)
        shutil.rmtree(copied, ignore_errors=True)
        program = str(self.primary.program("pg_basebackup"))
        address = self.primary.dsn("postgres")
        command = [program, "-d", address, "-D", str(copied), "-R", "-c", "fast", "--no-sync"]
        subprocess.run(command, check=True, capture_output=True)
        for socket in copied.glob(".s.PGSQL.*"):
            socket.unlink()  # the primary's, whose sockets may be in its cluster
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "--reference", cluster, copied], check=True)
        self.standby.start()
        with self.session(self.primary) as primary:
            primary.execute("alter system set synchronous_standby_names = '*'")
            primary.execute("select pg_reload_conf()")
            asked = "select 1 from pg_stat_replication where sync_state = 'sync'"
            eventually(lambda: primary.execute(asked).fetchone(), "commits wait for the standby")

    def retire(self) -> None:
        """Have the primary take no more writes, and the standby catch up with it."""
        with self.session(self.primary) as primary:
            primary.execute("alter system set default_transaction_read_only = on")
            primary.execute("select pg_reload_conf()")
            done = (
                "select bool_and(replay_lsn >= pg_current_wal_lsn())"
                " and not exists (select from pg_stat_activity where backend_xid is not null)"
                " from pg_stat_replication"
            )
            eventually(lambda: primary.execute(done).fetchone() == (True,), "it has caught up")

    def promote(self) -> None:
        """Make the standby the primary; the other one is what is left of the old."""
        cluster = self.standby.data_dir / "postgresql"
        program = self.standby.program("pg_ctl").resolve()
        account = Account.choose(self.standby.data_dir, cluster, program.parent)
        command = [*account.prefix, str(program), "promote", "-D", str(cluster), "-w"]
        subprocess.run(command, check=True, capture_output=True, cwd="/")
        self.primary, self.standby = self.standby, self.primary

    @contextmanager
    def session(self, server: EmbeddedServer) -> Iterator[psycopg.Connection[Any]]:
        """Open a session on one of them."""
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            yield connection

    def stop(self) -> None:
        """Stop both."""
        for server in self._both:
            server.stop()


@contextmanager
def pair(directory: Path, major: str) -> Iterator[Pair]:
    """Run a primary without a standby yet, and stop both at the end."""
    servers = Pair(directory, major)
    try:
        yield servers
    finally:
        servers.stop()
