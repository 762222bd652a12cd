"""The server process of an embedded PostgreSQL, from start to stop."""

import contextlib
import fcntl
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote, urlencode

import psycopg

from pgqueue.embedded.account import Account
from pgqueue.embedded.cluster import Cluster, environment, find_binaries, ignore_variables
from pgqueue.errors import DatabaseUnavailable, UsageError
from pgqueue.processes import undisturbed

__all__ = ["EmbeddedServer"]

_PORT = 5432  # part of the name of the socket; no network port is opened
_SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103  # sockaddr_un.sun_path without its NUL
_LOG_BYTES = 16 * 1024 * 1024
# It speaks English, as it and initdb run with LC_ALL=C; so does libpq, which has no other locale.
_STARTING = re.compile(
    "No such file|Connection refused|starting up|shutting down|not yet accepting|recovery"
    "|timeout|closed the connection|reset by peer"
)


class EmbeddedServer:
    """The PostgreSQL server on ``data_dir``; its cluster is created on first use.

    Start it from the main thread, or from one that lives as long as the server (see `account`).

    Args:
        data_dir: holds the cluster (``postgresql/``), its log and its owner's lock.
        binaries: the directory of ``initdb`` and ``postgres``; by default the embedded ones.
        settings: server settings for this run, for example ``{"fsync": "off"}`` in a test.
        start_timeout: how many seconds it may take to accept connections, recovery included.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        binaries: Path | None = None,
        settings: Mapping[str, str] | None = None,
        start_timeout: float = 60,
    ) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self.log = self.data_dir / "postgresql.log"
        self._binaries = binaries
        self._cluster = Cluster(self.data_dir / "postgresql")
        self._settings = dict(settings or {})
        self._start_timeout = start_timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The process id of the server that this object started, while it runs."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def program(self, name: str) -> Path:
        """Return the path of a program of this PostgreSQL, such as ``psql``."""
        return (self._binaries or find_binaries()) / name

    def dsn(self, database: str = "pgqueue") -> str:
        """Return the address of a database of this server, for its superuser ``postgres``."""
        return _dsn(self._socket_dir(), database)

    def running(self) -> str | None:
        """Return the address of the server on ``data_dir`` if it answers, whoever started it."""
        directory = self._cluster.socket_dir()
        if directory is None:
            return None
        ignore_variables()
        dsn = _dsn(directory, "pgqueue")
        return dsn if _answers(dsn) else None

    def start(self) -> str:
        """Start the server, creating cluster and database if needed; return the database's address.

        Raises:
            UsageError: another process runs a server here, or the directory cannot be used.
            DatabaseUnavailable: it did not start; the message has the end of its log.
        """
        if self.pid is not None:
            return self.dsn()
        ignore_variables()
        try:
            self.data_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
            self._take_lock()
            binaries = self.program("").resolve()
            account = Account.choose(self.data_dir, self._cluster.path, binaries)
            self._cluster.stop_stale(self._start_timeout)
            self._cluster.make(account, binaries, sync=self._settings.get("fsync") != "off")
            self._launch(account, binaries)
            if not _answers(self.dsn()):
                self._create_database(binaries)
        except PermissionError as error:
            self.stop()
            raise UsageError(
                f"{self.data_dir} cannot be used: {error}",
                hint="run pgqueue as the user who created it, or use another --data-dir",
            ) from error
        except BaseException:
            self.stop()
            raise
        return self.dsn()

    def stop(self, timeout: float = 20) -> None:
        """Stop the server if this object started it; each way to do so has ``timeout`` seconds.

        A fast shutdown comes first, then an immediate one, then SIGKILL.
        """
        if process := self._process:
            for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                process.send_signal(how)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout)
                    break
            self._process = None
            if (directory := self._socket_dir()) != self._cluster.path:
                with contextlib.suppress(
                    OSError
                ):  # not empty after a kill; the next start cleans up
                    directory.rmdir()
        if self._lock:
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> None:
        """Become the owner of ``data_dir`` until `stop`, or until this process ends."""
        if self._lock:
            return
        lock = (self.data_dir / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise UsageError(
                f"pgqueue already runs a PostgreSQL in {self.data_dir} (process {owner})",
                hint="stop it first, or use another --data-dir",
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def _launch(self, account: Account, binaries: Path) -> None:
        directory = self._socket_dir()
        if directory != self._cluster.path:
            _make_private(directory, account)
        settings = {
            "port": str(_PORT),
            "unix_socket_directories": '"{}"'.format(str(directory).replace('"', '""')),
            **self._settings,
        }
        command = [*account.prefix, str(binaries / "postgres"), "-D", str(self._cluster.path)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        deadline = time.monotonic() + self._start_timeout
        while not self._comes_up(command, deadline):
            time.sleep(0.1)

    def _comes_up(self, command: list[str], deadline: float) -> bool:
        """Start the server and wait until it answers; False: try again, a killed one still ends."""
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.old"))
        self.log.touch(mode=0o600)  # it contains statements that failed
        with self.log.open("ab") as log, undisturbed():
            begin = log.tell()
            self._process = process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment(),
                start_new_session=True,  # Ctrl-C is for us: the server stops after its clients
            )
        while refusal := _refusal(self.dsn("postgres")):
            lasting = not _STARTING.search(refusal)
            if process.poll() is None and time.monotonic() < deadline and not lasting:
                time.sleep(0.02)
                continue
            with self.log.open("rb") as log:
                log.seek(begin)
                said = log.read()[-2000:].decode(errors="replace").strip()
            # The backends of a killed server hold its memory until they notice that it is gone.
            if "shared memory block" in said and time.monotonic() < deadline:
                return False
            if process.poll() is None:
                raise DatabaseUnavailable(
                    f"PostgreSQL in {self._cluster.path} takes no connection: {refusal}",
                    hint=f"look for variables that begin with PG; its log is {self.log}",
                )
            raise DatabaseUnavailable(
                f"PostgreSQL did not start in {self._cluster.path}:\n{said}",
                hint=f"the whole log is {self.log}",
            )
        return True

    def _create_database(self, binaries: Path) -> None:
        command = [str(binaries / "createdb"), "--maintenance-db", self.dsn("postgres"), "pgqueue"]
        made = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment()
        )
        if made.returncode != 0:
            raise DatabaseUnavailable(f"the database could not be created: {made.stderr.strip()}")

    def _socket_dir(self) -> Path:
        """Return the directory of the socket: the cluster, or a short path named after it."""
        socket = os.fsencode(self._cluster.path / f".s.PGSQL.{_PORT}")
        if (
            len(socket) <= _SOCKET_PATH_BYTES and b"," not in socket
        ):  # libpq would read a list of hosts
            return self._cluster.path
        name = sha256(os.fsencode(self._cluster.path)).hexdigest()[:16]
        return Path(tempfile.gettempdir()).resolve() / f"pgqueue-{name}"


def _dsn(socket_dir: Path, database: str) -> str:
    options = urlencode({"host": str(socket_dir), "port": str(_PORT)}, quote_via=quote)
    return f"postgresql://postgres@/{quote(database, safe='')}?{options}"


def _answers(dsn: str) -> bool:
    return not _refusal(dsn)


def _refusal(dsn: str) -> str:
    """Return why no connection can be made, in a line; nothing if one can."""
    try:
        psycopg.connect(dsn, client_encoding="UTF8", connect_timeout=5).close()
    except psycopg.OperationalError as error:
        return str(error).partition("\n")[0] or "no connection"
    return ""


def _make_private(directory: Path, account: Account) -> None:
    """Create ``directory`` where anyone may write, and check that it belongs to the account."""
    try:
        directory.mkdir(mode=0o700)
        account.give(directory)
    except FileExistsError:
        found = directory.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == account.uid
        if not ours or stat.S_IMODE(found.st_mode) & 0o077:
            raise UsageError(
                f"{directory} belongs to another user, or is open to others",
                hint="remove it, or use a --data-dir with a shorter path",
            ) from None
