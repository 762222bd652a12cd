"""The pool that duties share, as one of them uses it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from pgqueue.database.link import Link
    from pgqueue.database.options import Timeouts
    from pgqueue.database.pool import Pool

__all__ = ["PooledLink"]


class PooledLink:
    """Whichever link of a shared pool is free, within limits of its own and timed."""

    def __init__(self, pool: Pool, timeouts: Timeouts) -> None:
        self._pool = pool
        self._timeouts = timeouts
        self.took_s = 0.0
        """How long it has had a link, without the waits for one."""

    async def rows(
        self, name: str, parameters: Mapping[str, Any] | Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Run a named query in a transaction of its own, and return its rows."""
        async with self._lent() as link:
            return await link.rows(name, parameters)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Link]:
        """Lend the link of a transaction; an error rolls it back."""
        async with self._lent() as link, link.transaction():
            yield link

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Link]:
        loop = asyncio.get_running_loop()
        async with self._pool.link(self._timeouts) as link:
            began = loop.time()
            try:
                yield link
            finally:
                self.took_s += loop.time() - began
