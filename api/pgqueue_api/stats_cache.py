"""The statistics of the service, read at most once a second for each set of filters."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgqueue.database.pool import Pool

__all__ = ["Stats"]

_KEPT_S = 1.0
_MAX_KEPT = 100

Key = tuple[int, str | None, str | None]


class Stats:
    """Any number of dashboards cost one query a second."""

    def __init__(self, reads: Pool) -> None:
        self._reads = reads
        self._started = time.monotonic()
        self._kept: dict[Key, tuple[float, bytes]] = {}
        self._reading = asyncio.Lock()

    async def get(self, window_s: int, type: str | None, queue: str | None) -> bytes:
        """Return the statistics as JSON, at most a second old."""
        key = (window_s, type, queue)
        async with self._reading:
            kept = self._kept.get(key)
            if kept is None or time.monotonic() - kept[0] > _KEPT_S:
                if len(self._kept) >= _MAX_KEPT:
                    self._kept.clear()
                kept = self._kept[key] = (time.monotonic(), await self._read(key))
        return kept[1]

    async def _read(self, key: Key) -> bytes:
        window_s, type, queue = key
        row = await self._reads.row(
            "stats",
            {
                "window_s": window_s,
                "type": type,
                "queue": queue,
                "uptime_s": round(time.monotonic() - self._started, 3),
            },
        )
        assert row is not None
        item: str = row["item"]
        return item.encode()
