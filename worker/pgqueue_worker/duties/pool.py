"""A few connections that many loops share: a call takes one that is free, or waits for one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pgqueue.database.link import Link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from pgqueue.database.link import Bounds

__all__ = ["Pool", "PooledLink"]

_IDLE_S = 60.0


class Pool:
    """At most ``max_size`` connections: a new one is made when all others are taken.

    One that nobody has needed for a minute is closed.
    """

    def __init__(self, dsn: str, name: str, max_size: int) -> None:
        self._dsn = dsn
        self._name = name
        self._turns = asyncio.Semaphore(max_size)
        self._idle: list[tuple[float, Link]] = []  # with the time of its last use; the latest last

    @asynccontextmanager
    async def taken(self, bounds: Bounds) -> AsyncIterator[Link]:
        """Lend a connection; each call on it is a transaction of its own with these limits."""
        async with self._turns:
            link = self._idle.pop()[1] if self._idle else Link(self._dsn, self._name)
            link.bounds = bounds
            try:
                yield link
            finally:
                now = asyncio.get_running_loop().time()
                self._idle.append((now, link))
                while self._idle[0][0] < now - _IDLE_S:
                    await self._idle.pop(0)[1].close()

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            await self._idle.pop()[1].close()


class PooledLink:
    """The pool as one loop uses it: with limits of its own, over whichever connection is free."""

    def __init__(self, pool: Pool, bounds: Bounds) -> None:
        self._pool = pool
        self._bounds = bounds
        self.took_s = 0.0
        """How long it has had a connection, without the waits for one."""

    async def rows(
        self, name: str, parameters: Mapping[str, Any] | Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Run a named query in a transaction of its own, and return its rows."""
        async with self._taken() as link:
            return await link.rows(name, parameters)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Link]:
        """Lend the connection of a transaction; an error rolls it back."""
        async with self._taken() as link, link.transaction():
            yield link

    @asynccontextmanager
    async def _taken(self) -> AsyncIterator[Link]:
        loop = asyncio.get_running_loop()
        async with self._pool.taken(self._bounds) as link:
            began = loop.time()
            try:
                yield link
            finally:
                self.took_s += loop.time() - began
