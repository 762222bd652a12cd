"""Statements that nobody waits for."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pgqueue.errors import PgQueueError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pgqueue.database.pool import Pool

__all__ = ["Notes"]


class Notes:
    """Runs statements beside the requests that they come from. One that fails is left out."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._running: set[asyncio.Task[None]] = set()

    def take(self, query: str, parameters: Mapping[str, Any]) -> None:
        """Run a statement soon."""
        running = asyncio.create_task(self._run(query, parameters))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def done(self) -> None:
        """Return when everything that was taken has run."""
        if self._running:
            await asyncio.wait(self._running)

    async def _run(self, query: str, parameters: Mapping[str, Any]) -> None:
        with suppress(PgQueueError):
            await self._pool.rows(query, parameters)
