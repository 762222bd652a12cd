"""Servers that crash, and how long it takes until something works again."""

import os
import signal
import time
from collections.abc import Callable

import psycopg

from pgqueue.embedded import EmbeddedServer
from tests.soundness import assert_sound
from tests.worker.conftest import eventually

__all__ = ["answers", "check_sound", "crash", "seconds"]


def answers(dsn: str) -> bool:
    """Say whether a session can be had."""
    try:
        psycopg.connect(dsn, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def check_sound(dsn: str) -> None:
    """Fail unless all that is stored agrees."""
    with psycopg.connect(dsn) as connection:
        assert_sound(connection)


def crash(server: EmbeddedServer, number: int = signal.SIGQUIT) -> None:
    """End a server as `pg_ctl stop -m immediate` does, or by another signal, and see it gone."""
    pid = server.pid
    assert pid is not None
    os.kill(pid, number)
    eventually(lambda: server.pid is None and not answers(server.dsn()), "it is down")
    server.stop()


def seconds(works: Callable[[], object], what: str, patience_s: float = 60) -> float:
    """Return how long it takes until something works."""
    began = time.monotonic()
    eventually(works, what, patience_s)
    return time.monotonic() - began
