"""Watching processes from the outside, for tests that start, signal and kill them."""

import contextlib
import socket
import time
from collections.abc import Callable

import psutil

__all__ = ["alive", "free_port", "marked", "wait_until"]


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def marked(mark: str) -> list[str]:
    """Describe the processes with ``mark`` in their environment or command line."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            texts = [*process.cmdline(), *process.environ().values()]
            if any(mark in text for text in texts):
                found.append(f"{process.pid} {' '.join(process.cmdline())[:200]}")
    return found


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for what other processes do; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
