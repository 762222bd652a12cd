"""Waiting for a change: told by a notification, and found out by looks.

Whoever changes a task looks whether anyone listens, in the transaction that changes it. One that
had looked before this wait listened, and commits after its first look, tells nobody. So a wait
looks again after 5 ms, 10 ms, 20 ms and so on: such a change is found at the latest after as long
again as its commit took. From then on it looks once a second, in case a notification is lost.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Self

import psycopg

from pgqueue.database.connection import Connection
from pgqueue.database.queries import query
from pgqueue.errors import DatabaseUnavailable, SchemaMismatch, translate

if TYPE_CHECKING:
    from types import TracebackType

    from pgqueue.errors import PgQueueError

_FIRST_LOOK_S = 0.005
_LOOK_S = 1.0
_TTL_S = 30.0

# not for secrecy; and not the module's own state, which belongs to whoever seeds it, such as a test
_SPREAD = random.Random()  # noqa: S311


class Watch:
    """A listening connection for the time of one wait, made again when it breaks."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Connection | None = None
        self._name = f"wait {socket.gethostname()}:{os.getpid()}:{id(self):x}"
        self._told = 0.0
        self._pause = _FIRST_LOOK_S

    async def __aenter__(self) -> Self:
        """Listen first, so that no change between the first look and the wait is missed."""
        try:
            await self._listen()
        except psycopg.Error as error:
            raise translate(error) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening."""
        await self._leave()

    async def changed(self, id: str) -> None:
        """Return when it is time to look again at what has this id, after a second at the latest.

        Connects again if need be; raises what only a person can mend.
        """
        try:
            if self._connection is None:
                await self._listen()
                return  # notifications were missed
            if _now() - self._told > _TTL_S / 3:
                await self._tell(self._connection, _TTL_S)
            await self._hear(self._connection, id)
        except psycopg.Error as error:
            await self.missed(translate(error))

    async def missed(self, error: PgQueueError) -> None:
        """Leave a connection that broke, and pause; raise an error that time does not mend."""
        if not isinstance(error, DatabaseUnavailable) or isinstance(error, SchemaMismatch):
            raise error
        await self._leave()
        await asyncio.sleep(_SPREAD.uniform(0.1, 0.4))

    async def _hear(self, connection: Connection, id: str) -> None:
        pause, self._pause = self._pause, min(_LOOK_S, self._pause * 2)
        async with aclosing(connection.notifies(timeout=pause)) as notices:
            async for notice in notices:
                if id in notice.payload:
                    return

    async def _listen(self) -> None:
        connection = await Connection.made(self._dsn, "pgqueue wait", prepares=False)
        self._connection = connection
        try:
            await connection.execute(query("listen_events"))
            await self._tell(connection, _TTL_S)
        except BaseException:
            await self._leave()  # if this is cancelled in __aenter__, __aexit__ never runs
            raise
        self._pause = _FIRST_LOOK_S

    async def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                await self._tell(connection, 0)
            await connection.close()

    async def _tell(self, connection: Connection, seconds: float) -> None:
        self._told = _now()
        await connection.execute(
            query("listen_on"),
            {"name": self._name, "channel": "pgqueue_event", "seconds": seconds},
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
