"""Rings workers after an enqueue has committed, without making its caller wait.

On a connection of its own and never in the writing transaction, where NOTIFY would serialise
commits. Rings that gather while one is under way go together. A lost ring delays a task by the
workers' poll, no more.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pgqueue.errors import PgQueueError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pgqueue.database import Link


class Ringer:
    """Rings for one client."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._queues: set[str] = set()
        self._ringing: asyncio.Task[None] | None = None

    def ring(self, queues: Iterable[str]) -> None:
        """Ring soon."""
        self._queues.update(queues)
        if self._queues and (self._ringing is None or self._ringing.done()):
            self._ringing = asyncio.get_running_loop().create_task(self._ring())

    async def close(self) -> None:
        """Ring what is left, and disconnect."""
        if self._ringing is not None:
            await self._ringing
        await self._link.close()

    async def _ring(self) -> None:
        while self._queues:
            queues, self._queues = self._queues, set()
            try:
                await self._link.rows("ring", {"queues": sorted(queues)})
            except PgQueueError:
                return  # workers poll in any case
