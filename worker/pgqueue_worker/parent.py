"""No process outlives the one that started it, even when that is killed."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2), Linux


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Be killed, or get another signal, when the parent ends.

    Elsewhere than on Linux the end of the control line does it, as soon as the event loop turns.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we asked
        os.kill(os.getpid(), number)
