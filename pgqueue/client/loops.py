"""What belongs to one event loop of one process: connections, and calls that share a commit."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pgqueue.database.connection import leave_to_parent

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PerLoop"]

Part = TypeVar("Part")


class PerLoop(Generic[Part]):
    """Makes a part for each event loop that asks for one, whichever thread the loop runs in.

    The parts of loops that were closed are dropped when the next loop asks. A forked process starts
    without any: those that it inherits are its parent's, and nothing is done to them.
    """

    def __init__(
        self, make: Callable[[], Part], drop: Callable[[Part], None] = lambda _: None
    ) -> None:
        self._make = make
        self._drop = drop
        self._lock = threading.Lock()
        self._parts: dict[asyncio.AbstractEventLoop, Part] = {}
        _all.add(self)

    def get(self) -> Part:
        """Return the part of the running loop."""
        loop = asyncio.get_running_loop()
        part = self._parts.get(loop)
        if part is None:
            with self._lock:
                gone = [self._parts.pop(one) for one in [*self._parts] if one.is_closed()]
                part = self._parts[loop] = self._make()
            for one in gone:
                self._drop(one)
        return part

    def pop(self) -> Part | None:
        """Forget the part of the running loop and return it; drop those of closed loops."""
        with self._lock:
            part = self._parts.pop(asyncio.get_running_loop(), None)
            gone = [self._parts.pop(one) for one in [*self._parts] if one.is_closed()]
        for one in gone:
            self._drop(one)
        return part

    def drop(self) -> None:
        """Drop every part."""
        with self._lock:
            parts, self._parts = self._parts, {}
        for one in parts.values():
            self._drop(one)

    def start_anew(self) -> None:
        """Forget the parent's parts, in a process that was just forked."""
        self._lock = threading.Lock()  # another thread may have held the parent's at the fork
        self._parts = {}


_all: weakref.WeakSet[PerLoop[Any]] = weakref.WeakSet()


def _start_anew() -> None:
    leave_to_parent()
    for one in [*_all]:
        one.start_anew()


os.register_at_fork(after_in_child=_start_anew)
