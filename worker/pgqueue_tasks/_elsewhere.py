"""Bounds how many tasks of a type run at once outside the type's own queue.

In its own queue the settings of that queue apply. In another one nobody may have thought of what a
task costs, and whoever enqueues chooses the queue: a hundred reports would be a hundred processes.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Awaitable, Callable
from typing import Any

from pgqueue import Context, Snooze

__all__ = ["bounded_elsewhere"]

_AFTER_S = (2.0, 6.0)  # at random, so that those who wait do not all come at once

Handler = Callable[[Context, Any], Awaitable[Any]]


def bounded_elsewhere(handler: Handler, queue: str, concurrency: int) -> Handler:
    """Return a handler of which at most so many calls for other queues run at once.

    Further ones are put off for a few seconds, which charges no attempt and holds no slot. It
    counts in one worker process.
    """
    running = 0

    @functools.wraps(handler)
    async def bounded(ctx: Context, payload: Any) -> Any:
        nonlocal running
        if ctx.queue == queue:
            return await handler(ctx, payload)
        if running >= concurrency:
            said = f"{concurrency} tasks of its type run in this worker process, the most outside"
            return Snooze(random.uniform(*_AFTER_S), f"{said} the queue {queue}")  # noqa: S311
        running += 1
        try:
            return await handler(ctx, payload)
        finally:
            running -= 1

    return bounded
