"""PgBouncer in transaction mode before the server of a test run.

Each statement, or transaction, of a client may run in another session of the server. So nothing may
be kept in a session: no prepared statement (Debian 12 has PgBouncer 1.18, which knows none), no
setting, no advisory lock, no temporary table, no LISTEN.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

__all__ = ["Pooler", "pgbouncer"]

_PORT = 6432  # part of the socket's name; no network port is opened
_PATIENCE_S = 45
_OF_A_SERVER = ("host", "port", "user", "password")
# More clients than sessions, so that they are mixed; as many sessions as a test holds open at once.
_CONFIGURATION = """
[databases]
* = {server}

[pgbouncer]
pool_mode = transaction
unix_socket_dir = {folder}
unix_socket_mode = 0777
listen_addr =
listen_port = {port}
auth_type = any
admin_users = pgbouncer
default_pool_size = 40
max_client_conn = 500
server_login_retry = 1
logfile = {folder}/pgbouncer.log
log_connections = 0
log_disconnections = 0
"""


@dataclass(frozen=True)
class Pooler:
    """A PgBouncer that runs."""

    folder: Path

    def through(self, dsn: str) -> str:
        """Return the address of the same database through the pooler."""
        name = conninfo_to_dict(dsn)["dbname"]
        return make_conninfo(
            host=str(self.folder), port=_PORT, user="anybody", dbname=name, sslmode="disable"
        )

    def say(self, command: str) -> None:
        """Tell it something, such as ``reconnect``."""
        address = make_conninfo(self.through("dbname=pgbouncer"), user="pgbouncer")
        with psycopg.connect(address, autocommit=True, prepare_threshold=None) as console:
            console.cursor(binary=False).execute(command)


@contextmanager
def pgbouncer(server: str) -> Iterator[Pooler]:
    """Run a PgBouncer before the server at this address."""
    with (
        tempfile.TemporaryDirectory(prefix="pgqueue-pooler-") as folder,
        _running(server, Path(folder)) as pooler,
    ):
        yield pooler


@contextmanager
def _running(server: str, folder: Path) -> Iterator[Pooler]:
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.fail("PgBouncer is not installed: apt-get install pgbouncer", pytrace=False)
    parts = {k: v for k, v in conninfo_to_dict(server).items() if k in _OF_A_SERVER}
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        _CONFIGURATION.format(folder=folder, port=_PORT, server=make_conninfo("", **parts))
    )
    with subprocess.Popen([program, "-q", str(configuration)], **_as_owner(folder, parts)) as run:
        try:
            pooler = Pooler(folder)
            _await(pooler, run)
            yield pooler
        finally:
            run.terminate()


def _as_owner(folder: Path, parts: dict[str, object]) -> dict[str, object]:
    """Root runs it as the owner of the server's socket: it refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    uid = gid = 65534
    host = Path(str(parts.get("host", "")))
    if host.is_absolute():
        uid, gid = host.stat().st_uid, host.stat().st_gid
        host.parent.chmod(0o711)  # the directory that this run of tests has made
    for path in (folder, *folder.iterdir()):
        os.chown(path, uid, gid)
    return {"user": uid, "group": gid, "extra_groups": []}


def _await(pooler: Pooler, run: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while run.poll() is None and time.monotonic() < deadline:
        try:
            return pooler.say("show version")
        except psycopg.OperationalError:
            time.sleep(0.02)
    log = pooler.folder / "pgbouncer.log"
    pytest.fail(f"PgBouncer does not run: {log.read_text() if log.exists() else ''}")
