"""The doorbell tells idle workers of new tasks after the commit, on a connection of its own.

A submit never waits for it.
"""

from __future__ import annotations

import asyncio
from asyncio import sleep
from typing import TYPE_CHECKING

from pgqueue import logs
from pgqueue.database.link import Link
from pgqueue.database.options import Options
from pgqueue.errors import PgQueueError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Doorbell"]

_RINGS_IDS = 1_000
_UNHEARD_S = 0.05  # how often it rings while nobody waits

_log = logs.get_logger("pgqueue.api")


class Doorbell:
    """Tells idle workers and watchers of new tasks. It is a hint: failures are ignored."""

    def __init__(self, dsn: str) -> None:
        self._link = Link(dsn, Options("pgqueue api doorbell"))
        self._queues: set[str] = set()
        self._ids: list[str] = []
        self._ringing: asyncio.Task[None] | None = None
        self._heard = True

    def ring(self, queues: Sequence[str], ids: Sequence[str]) -> None:
        """Ring for these queues soon; returns at once."""
        self._queues.update(queues)
        self._ids += ids
        if self._ringing is None:
            self._ringing = asyncio.create_task(self._ring())

    async def close(self) -> None:
        """Ring what is left, then close the connection."""
        if self._ringing is not None:
            await asyncio.wait([self._ringing], timeout=2)
        await self._link.close()

    async def _ring(self) -> None:
        try:
            if not self._heard:  # a worker that begins to wait looks at the queue first
                await sleep(_UNHEARD_S)
            while self._queues or self._ids:
                queues, ids = sorted(self._queues), self._ids[-_RINGS_IDS:]
                self._queues, self._ids = set(), []
                async with asyncio.timeout(5):
                    ((self._heard, *_),) = await self._link.rows(
                        "ring_submitted", {"queues": queues, "ids": ids}
                    )
        except (PgQueueError, TimeoutError) as error:
            _log.debug("doorbell_failed", error=str(error))
        finally:
            self._ringing = None
