"""Processes with a wrong clock: what time it is, they are told by libfaketime.

Only the time of day is wrong. The monotonic clock counts from the start of the machine, and nobody
can set it. libfaketime 0.9.10 breaks `time.sleep` of Python 3.11 and later in such processes
(https://github.com/wolfcw/libfaketime/issues/426): handlers that run under it wait otherwise. Tests
that use this are marked ``faketime``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

__all__ = ["Clock", "library", "sweep", "wrong_clock"]

_SHARED = Path("/dev/shm")
_PLACES = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/lib64/faketime")


class Clock:
    """A clock that is off by ``offset``, such as ``-10y``, ``+1h`` or ``+0``; it may be set again.

    ``environment`` is for the processes that are to go by it, with what they start.
    """

    def __init__(self, file: Path, offset: str) -> None:
        self._file = file
        self.set(offset)
        self.environment = {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, offset: str) -> None:
        """Set it, in processes that run already too."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset}\n")
        new.replace(self._file)  # nobody reads half an offset


@contextmanager
def wrong_clock(folder: Path, offset: str) -> Iterator[Clock]:
    """Return a clock, kept in a folder; at the end what killed processes left of it is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield Clock(folder / "clock", offset)
    finally:
        sweep()


def library() -> Path:
    for place in _PLACES:
        for found in sorted(Path("/").glob(f"{place[1:]}/libfaketimeMT.so.1")):
            return found
    pytest.fail("libfaketime is not installed: apt-get install faketime", pytrace=False)


def sweep() -> None:
    """Remove the shared memory of dead processes: it would stop a process of the same number."""
    for file in _SHARED.glob("*faketime_*"):
        pid = re.fullmatch(r"(?:sem\.)?faketime_(?:shm|sem)_(\d+)", file.name)
        if pid and not psutil.pid_exists(int(pid[1])):
            file.unlink(missing_ok=True)
