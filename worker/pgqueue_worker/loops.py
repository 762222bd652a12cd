"""An event loop that no handler can stop."""

from __future__ import annotations

import asyncio
from typing import TypeVar

__all__ = ["run_through"]

T = TypeVar("T")


def run_through(loop: asyncio.AbstractEventLoop, task: asyncio.Task[T]) -> T:
    """Run a loop until this task has ended, and return its result.

    ``SystemExit`` and ``KeyboardInterrupt`` of another task stop a loop, in addition to being that
    task's error. Whoever waits for the task gets the error, and the loop goes on.
    """
    while True:
        try:
            return loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt):
            if task.done():
                raise
