"""The event loop of this process, as threads reach it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from pgqueue_worker.forks import refuse_copy

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

__all__ = ["LoopBridge"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class LoopBridge:
    """Calls into the event loop that made it, from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    @property
    def here(self) -> bool:
        """Whether the caller is on the event loop."""
        refuse_copy()
        return threading.get_ident() == self._thread

    def call(self, function: Callable[[*Ts], None], *arguments: *Ts) -> None:
        """Call on the event loop, without waiting for it."""
        if self.here:
            function(*arguments)
        else:
            self._loop.call_soon_threadsafe(function, *arguments)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the event loop and return its future."""
        refuse_copy()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def result(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the event loop and return its result. For other threads only."""
        return self.submit(coroutine).result()
