"""Watching processes from the outside, for tests that start, signal and kill them."""

import contextlib
import fcntl
import itertools
import os
import random
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

__all__ = ["alive", "fork_servers", "free_port", "marked", "wait_until"]


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def fork_servers() -> list[psutil.Process]:
    """Return the fork servers of isolated handlers that this process started.

    A test process has other children, too: PostgreSQL, and the one that workers are forked from.
    """
    found = []
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "pgqueue_worker.isolation.fork_server" in process.cmdline():
                found.append(process)
    return found


def marked(mark: str) -> list[str]:
    """Describe the processes with ``mark`` in their environment or command line."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            texts = [*process.cmdline(), *process.environ().values()]
            if any(mark in text for text in texts):
                found.append(f"{process.pid} {' '.join(process.cmdline())[:200]}")
    return found


def wait_until(condition: Callable[[], object], seconds: float = 45) -> None:
    """Wait for what other processes do; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


# Below the ports that the system gives to whoever asks for any.
_FIRST_PORT, _PORTS = 10_000, 20_000
_next_port = itertools.count(random.SystemRandom().randrange(_PORTS))
_taken = (Path(tempfile.gettempdir()) / f"pgqueue-test-ports-{os.getuid()}").open("ab")


def free_port() -> int:
    """Return a port that nobody uses, and that no test of any run is given while this run lasts.

    The byte of that number in a file is locked until this process ends.
    """
    while True:
        port = _FIRST_PORT + next(_next_port) % _PORTS
        with socket.socket() as probe, contextlib.suppress(OSError):
            fcntl.lockf(_taken, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            probe.bind(("", port))
            return port
