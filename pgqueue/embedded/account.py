"""The system account that the embedded PostgreSQL runs under.

PostgreSQL refuses to run as root. When root starts it, it runs as the owner of its cluster, else as
``postgres``, else as ``nobody``. That user often cannot enter the project (``/root`` is closed to
others), and we must not open those directories. Only where needed, PostgreSQL keeps one capability
of root instead: to search directories (``dac_read_search``; ``dac_override`` in containers that
have only that). PostgreSQL calls access(2) on its own programs, which ignores the capabilities of
ordinary users unless ``no_setuid_fixup`` is set.

On Linux PostgreSQL also gets a parent-death signal, so that it does a fast shutdown, not a crash,
when the process that started it is killed. The kernel ties this to the starting *thread*: start the
server from the main thread, or from one that lives as long.
"""

import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pgqueue.errors import UsageError

__all__ = ["Account"]

_CAPABILITIES = ("dac_read_search", "dac_override")


@dataclass(frozen=True)
class Account:
    """The user that runs PostgreSQL; ``prefix`` goes in front of each of its commands."""

    uid: int
    gid: int
    prefix: tuple[str, ...]
    version: str
    """The version of PostgreSQL, for example ``18.6``."""

    @classmethod
    def choose(cls, data_dir: Path, cluster: Path, binaries: Path) -> "Account":
        """Return the account with the fewest rights under which PostgreSQL starts.

        Each candidate is tested: it must enter ``data_dir`` and find all programs and files.

        Raises:
            UsageError: no account works; the hint says what to change.
        """
        uid, gid = _identity(cluster)
        problem = ""
        for prefix in _prefixes(uid, gid):
            script = 'cd -- "$1" && exec "$2" --show -D "$3" 2>&1'
            paths = (str(data_dir), str(binaries / "initdb"), str(cluster))
            probe = subprocess.run(
                [*prefix, "/bin/sh", "-c", script, "probe", *paths],
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
            )
            version = re.search(r"^VERSION=(\S+)", probe.stdout, re.MULTILINE)
            if probe.returncode == 0 and version:
                return cls(uid, gid, prefix, version[1])
            problem = (probe.stdout + probe.stderr).strip() or problem
        raise UsageError(
            f"PostgreSQL cannot be started as user {_name(uid)}: {problem}",
            hint="move the project to a directory that this user may enter, run pgqueue as an "
            "ordinary user, or name a server in PGQUEUE_DATABASE_URL",
        )

    def give(self, path: Path) -> None:
        """Make the account the owner of ``path``."""
        if (os.geteuid(), os.getegid()) != (self.uid, self.gid):
            os.chown(path, self.uid, self.gid)


def _identity(cluster: Path) -> tuple[int, int]:
    """Return the user and group id to run as: our own, unless we are root."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return owner.st_uid, owner.st_gid
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return user.pw_uid, user.pw_gid
    raise UsageError(
        "PostgreSQL refuses to run as root, and there is no user named postgres or nobody",
        hint="run pgqueue as an ordinary user, or name a server in PGQUEUE_DATABASE_URL",
    )


def _prefixes(uid: int, gid: int) -> Iterator[tuple[str, ...]]:
    """Yield the prefixes to try, the one with the fewest rights first."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if os.geteuid() != 0:
        if setpriv:
            yield (setpriv, "--pdeathsig", "INT")
        yield ()
        return
    if not setpriv:
        raise UsageError(
            "PostgreSQL refuses to run as root, and setpriv (util-linux) is not installed",
            hint="install it, run pgqueue as an ordinary user, or name a server in "
            "PGQUEUE_DATABASE_URL",
        )
    change = (setpriv, f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs")
    yield (*change, "--pdeathsig", "INT")
    for capability in _CAPABILITIES:
        kept = (f"--inh-caps=-all,+{capability}", f"--ambient-caps=+{capability}")
        yield (*change, "--securebits=+no_setuid_fixup", *kept, "--pdeathsig", "INT")


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
