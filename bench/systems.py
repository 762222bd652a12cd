"""What the benchmarks need to know of a task queue."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

STARTS = "BENCH_STARTS"
"""Environment variable: the file in which the handlers of type ``stamp`` note when they started."""


class Producer(Protocol):
    """The client side of a system, connected."""

    async def enqueue_many(self, numbers: Sequence[int]) -> None:
        """Enqueue a no-op task for each number, in one call."""

    async def enqueue_stamp(self, number: int) -> None:
        """Enqueue a task that notes when it starts; returns once it is durable."""


class System(Protocol):
    """A task queue."""

    name: str
    settings: str
    """How it is set up, in words, for the report."""
    span: str
    """SQL: seconds from the first start to the last finish, and how many finished."""
    calls: tuple[str, ...]
    """The SQL functions that claim and finish, if there are any."""

    def install(self, dsn: str) -> None:
        """Create the schema in an empty database."""

    def producer(self, dsn: str) -> AbstractAsyncContextManager[Producer]:
        """Connect a client."""

    def worker(self, *, drain: bool) -> list[str]:
        """Return the command of a worker; with ``drain`` it ends when the queue is empty."""

    def environment(self, dsn: str) -> dict[str, str]:
        """Return what the command finds its database by."""


def environment(own: dict[str, str], starts: Path | None = None) -> dict[str, str]:
    """Return the environment of a worker, without the settings of the user of this shell."""
    ignored = ("PGQUEUE_", "PGQUEUER_", "OTEL_", "PG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ignored)}
    root = str(Path(__file__).parent.parent)
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [root, kept.get("PYTHONPATH")]))
    if starts is not None:
        own = {**own, STARTS: str(starts)}
    return {**kept, **own}
