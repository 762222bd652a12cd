"""The servers of our own tests: any version from 15 to 18, and some to stop, kill and start again.

There always is one: a test never skips for lack of it. See pgqueue/testing/servers.py.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from pgqueue.embedded import EmbeddedServer
from pgqueue.testing.servers import FAST, Server, any_server

__all__ = ["FAST", "Server", "any_server", "binaries", "own_server"]

_EMBEDDED_MAJOR = "18"


def binaries(major: str) -> Path | None:
    """Return where PostgreSQL ``major`` is; None stands for the embedded one.

    Fails the test run if it is not installed: a version that is not tested is not supported.
    """
    if major == _EMBEDDED_MAJOR:
        return None
    directory = Path(f"/usr/lib/postgresql/{major}/bin")
    if not (directory / "initdb").exists():
        pytest.fail(f"PostgreSQL {major} is not installed: apt-get install postgresql", False)
    return directory


@contextmanager
def own_server(
    directory: Path, major: str, settings: Mapping[str, str] = FAST
) -> Iterator[EmbeddedServer]:
    """Run a server of our own, which the caller may stop, kill and start again."""
    with EmbeddedServer(directory, binaries=binaries(major), settings=settings) as server:
        yield server
