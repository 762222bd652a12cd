"""Waiting for a change: woken by NOTIFY, and by a timer every second in case that is lost."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import psycopg

from pgqueue.database.connection import Connection, translated
from pgqueue.database.queries import query

if TYPE_CHECKING:
    from types import TracebackType

_LOOK_S = 1.0
_TTL_S = 30.0


class Watch:
    """A listening connection for the time of one wait."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Connection | None = None
        self._name = f"wait {socket.gethostname()}:{os.getpid()}:{id(self):x}"
        self._told = 0.0

    async def __aenter__(self) -> Self:
        """Listen first, so that no change between the first read and the wait is missed."""
        with translated():
            connection = await Connection.made(self._dsn, "pgqueue wait", prepares=False)
            self._connection = connection
            try:
                await connection.execute(query("listen_events"))
                await self._tell(connection, _TTL_S)
            except BaseException:
                await self._leave()  # if this is cancelled here, __aexit__ never runs
                raise
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
        """Return when what has this id may have changed, after a second at the latest."""
        connection = self._connection
        assert connection is not None
        with translated():
            if asyncio.get_running_loop().time() - self._told > _TTL_S / 3:
                await self._tell(connection, _TTL_S)
            async for notice in connection.notifies(timeout=_LOOK_S):
                if id in notice.payload:
                    return

    async def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                await self._tell(connection, 0)
            await connection.close()

    async def _tell(self, connection: Connection, seconds: float) -> None:
        self._told = asyncio.get_running_loop().time()
        await connection.execute(
            query("listen_on"),
            {"name": self._name, "channel": "pgqueue_event", "seconds": seconds},
        )
