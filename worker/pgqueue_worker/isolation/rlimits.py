"""Limits of a child on itself, which the kernel enforces.

RLIMIT_DATA bounds memory. It counts what a process can write to and has to itself: its heap and
anonymous memory. RLIMIT_AS would count reservations and mapped files as well, 64 MB for each
thread's arena among them, and so forbid what costs nothing.

macOS refuses some of the limits. There the timeout of the task still bounds a child.
"""

from __future__ import annotations

import math
import os
import resource
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pgqueue.handlers.isolation import ProcessLimits

_CPU_GRACE_S = 5  # SIGXCPU at the limit ends a process; SIGKILL ends one that ignores it


def limit_for_good(limits: ProcessLimits) -> None:
    """Limit this process, which cannot raise the limits again; it leaves no core file."""
    _set(resource.RLIMIT_CORE, 0, 0)
    for kind, limit in _found(limits):
        _set(kind, limit, limit + _CPU_GRACE_S if kind == resource.RLIMIT_CPU else limit)


@contextmanager
def limited(limits: ProcessLimits) -> Iterator[None]:
    """Limit this process for a while: for one attempt among others."""
    found = _found(limits)
    if limits.file is not None:  # Python would leave half of a compiled module behind
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    for kind, limit in found:
        _set(kind, limit, _hard(kind))
    try:
        yield
    finally:
        for kind, _ in found:
            _set(kind, _hard(kind), _hard(kind))


def _found(limits: ProcessLimits) -> list[tuple[int, int]]:
    found = []
    if limits.memory is not None:
        found.append((resource.RLIMIT_DATA, limits.memory))
    if limits.cpu_s is not None:  # it counts from the beginning of the process
        used = math.ceil(time.process_time())
        found.append((resource.RLIMIT_CPU, used + limits.cpu_s))
    if limits.file is not None:
        found.append((resource.RLIMIT_FSIZE, limits.file))
    return found


def _hard(kind: int) -> int:
    return resource.getrlimit(kind)[1]


def _set(kind: int, soft: int, hard: int) -> None:
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (soft, hard))
