"""Signals that a process of the worker handles, and that what its handlers start does not inherit.

An ignored signal stays ignored in a child, and in whatever the child executes: a handler could not
end what it started. So signals are taken by a handler that does nothing. The kernel resets it when
a program is executed; for a child that is only forked it is done here.
"""

from __future__ import annotations

import os
import signal
import threading
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["disregard", "keep_from_forks"]

_KEPT = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGCHLD,
)  # an event loop handles the last one
_thread = threading.local()


def disregard(*numbers: signal.Signals) -> None:
    """Have this process take no notice of signals."""
    keep_from_forks()
    for number in numbers:
        signal.signal(number, _do_nothing)
        signal.siginterrupt(number, False)  # noqa: FBT003  a system call goes on


@cache
def keep_from_forks() -> None:
    """Have every child that this process forks begin with the default handling of signals."""
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_reset)


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    pass


def _hold() -> None:
    # one that arrives before the child has reset its handling must not be lost
    _thread.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _KEPT)


def _let_go() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _thread.mask)


def _reset() -> None:
    signal.set_wakeup_fd(-1)  # it is the parent's
    for number in _KEPT:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _let_go()
