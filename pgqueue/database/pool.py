"""``Pool``: a few links that many callers share."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from pgqueue.database.link import Link
from pgqueue.database.options import Options, Timeouts
from pgqueue.errors import DatabaseBusy, DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from pgqueue.database.connection import Connection

__all__ = ["Pool", "Row"]

Row = dict[str, Any]

_KEPT_S = 60.0
_FIRST_S = 1.0

# not for secrecy; and not the module's own state, which belongs to whoever seeds it, such as a test
_SPREAD = random.Random()  # noqa: S311


class Pool:
    """At most ``size`` links, each made when all others are lent.

    - A call gets the link that was used last. Links that nobody has needed for a minute are closed
      when another one comes back.
    - A call waits ``wait_s`` at most for a link that is free and connected, and longer than that
      for none: then it raises ``DatabaseBusy`` or ``DatabaseUnavailable``. No ``wait_s``: no limit.
    - Nothing connects in the background. Where PostgreSQL cannot be reached a call fails at once;
      with ``retries`` it tries again, at random intervals, until ``wait_s`` are over. Before any
      connection was made it tries for a second only: an address that is wrong stays wrong.
    - When one link finds that its server takes no writes any more, the idle ones are closed, too.

    What a call promises beyond that is the ``Link``'s promise, by the same ``options``.
    """

    def __init__(
        self,
        dsn: str,
        options: Options,
        *,
        size: int,
        wait_s: float | None = None,
        retries: bool = False,
    ) -> None:
        self.dsn = dsn
        self._options = options
        self._size = size
        self._wait_s = wait_s
        self._retries = retries
        self._turns = asyncio.Semaphore(size)
        self._idle: list[tuple[float, Link]] = []  # with its last use, the latest at the end
        self._closed = False
        self._has_connected = False

    @classmethod
    def patient(cls, dsn: str, name: str, *, size: int = 4) -> Self:
        """Return a pool for programs that would rather wait than fail.

        A call waits 5 s for PostgreSQL, which may be starting again, and 60 s for an answer: its
        statement may wait for a key that the transaction of another client holds.
        """
        options = Options(name, Timeouts(answer_s=60))
        return cls(dsn, options, size=size, wait_s=5, retries=True)

    async def open(self) -> None:
        """Connect, or raise ``DatabaseUnavailable``. A call does so by itself."""
        async with self.link():
            pass

    async def close(self) -> None:
        """Close the links: the idle ones now, each of the others when it comes back."""
        self._closed = True
        await self._close_idle()

    def abandon(self) -> None:
        """Drop the idle links when the event loop that could close them is gone."""
        while self._idle:
            self._idle.pop()[1].abandon()

    @asynccontextmanager
    async def link(self, timeouts: Timeouts | None = None) -> AsyncIterator[Link]:
        """Lend a connected link, with these limits instead of the pool's."""
        loop = asyncio.get_running_loop()
        until = None if self._wait_s is None else loop.time() + self._wait_s
        await self._turn(until)
        try:
            link = self._idle.pop()[1] if self._idle else Link(self.dsn, self._options)
            link.timeouts = timeouts or self._options.timeouts
            try:
                if not link.usable:
                    await self._connect(link, until)
                yield link
            finally:
                await self._put_back(link, loop.time())
        finally:
            self._turns.release()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection in autocommit mode, for statements of the caller's."""
        async with self.link() as link, link.connection() as connection:
            yield connection

    async def rows(
        self, name: str, parameters: Mapping[str, Any] | None = None, *, binary: bool = False
    ) -> list[Row]:
        """Run a named query and return its rows as dicts; see ``Link.dicts``."""
        async with self.link() as link:
            return await link.dicts(name, parameters or {}, binary=binary)

    async def row(self, name: str, parameters: Mapping[str, Any] | None = None) -> Row | None:
        """Run a named query and return its first row, if any."""
        rows = await self.rows(name, parameters)
        return rows[0] if rows else None

    async def _turn(self, until: float | None) -> None:
        if not self._turns.locked():
            await self._turns.acquire()  # which does not wait
            return
        try:
            async with asyncio.timeout_at(until):
                await self._turns.acquire()
        except TimeoutError as error:
            message = f"no database connection became free within {self._wait_s:g} s"
            raise DatabaseBusy(message, hint=f"all {self._size} are in use: try again") from error

    async def _connect(self, link: Link, until: float | None) -> None:
        failure: DatabaseUnavailable | None = None
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout_at(until):
                while True:
                    try:
                        await link.connect()
                    except DatabaseUnavailable as error:
                        patient = self._has_connected or clock() - began < _FIRST_S
                        if not (self._retries and patient):
                            raise
                        failure = error
                    else:
                        self._has_connected = True
                        return
                    await asyncio.sleep(_SPREAD.uniform(0.1, 0.4))
        except TimeoutError as error:
            message = f"PostgreSQL took no connection within {self._wait_s:g} s"
            raise failure or DatabaseUnavailable(message, hint="is it running?") from error

    async def _put_back(self, link: Link, now: float) -> None:
        if link.retired:
            await self._close_idle()
        if self._closed:
            await link.close()
        elif link.connected:
            self._idle.append((now, link))
        while self._idle and self._idle[0][0] < now - _KEPT_S:
            await self._idle.pop(0)[1].close()

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop()[1].close()
