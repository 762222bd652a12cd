"""The connections that handlers' transactions borrow.

They are lent to code that is not ours, on the event loop and in threads. So they come from
psycopg_pool and not from a ``pgqueue.database.pool.Pool``, which is for calls of our own: each is
checked by a round trip before it is lent and made like new before it is lent again.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Self

import psycopg
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from pgqueue.addresses import redact
from pgqueue.database.connection import (
    connection_arguments,
    is_direct,
    is_direct_sync,
    takes_writes,
)
from pgqueue.database.queries import query

__all__ = ["TransactionPools"]

Row = tuple[Any, ...]

_MAX_SIZE = 10
_FREE_S = 30.0  # how long an attempt waits for one of them
_IDLE_S = 60.0
_PREPARE_AT = 5  # the driver's default: the statements are the handlers' own


class TransactionPools:
    """The pools of one process, each opened on first use: one for its event loop, one for threads.

    A connection is lent as if it were new, and closed after a minute without use.
    """

    def __init__(self, dsn: str, max_size: int = _MAX_SIZE) -> None:
        self._arguments: dict[str, Any] = {
            "conninfo": dsn,
            "kwargs": connection_arguments("pgqueue worker transaction"),
            "min_size": 0,
            "max_size": max(1, min(max_size, _MAX_SIZE)),
            "timeout": _FREE_S,
            "max_idle": _IDLE_S,
            "num_workers": 1,
            "open": False,
        }
        self._for_loop: AsyncConnectionPool[psycopg.AsyncConnection[Row]] | None = None
        self._for_threads: ConnectionPool[psycopg.Connection[Row]] | None = None
        self._one_task = asyncio.Lock()
        self._one_thread = threading.Lock()

    async def for_loop(self) -> AsyncConnectionPool[psycopg.AsyncConnection[Row]]:
        """Return the pool for handlers on the event loop."""
        async with self._one_task:
            if self._for_loop is None:
                self._for_loop = AsyncConnectionPool(
                    **self._arguments,
                    connection_class=_AsyncConnection,
                    configure=_configure,
                    check=_check,
                    reset=_reset,
                )
                await self._for_loop.open()
            return self._for_loop

    def for_threads(self) -> ConnectionPool[psycopg.Connection[Row]]:
        """Return the pool for handlers in threads."""
        with self._one_thread:
            if self._for_threads is None:
                self._for_threads = ConnectionPool(
                    **self._arguments,
                    connection_class=_Connection,
                    configure=_configure_sync,
                    check=_check_sync,
                    reset=_reset_sync,
                )
                self._for_threads.open()
            return self._for_threads

    async def close(self) -> None:
        """Close both pools."""
        if self._for_loop is not None:
            await self._for_loop.close()
        if self._for_threads is not None:
            self._for_threads.close(timeout=0)


class _AsyncConnection(psycopg.AsyncConnection[Row]):
    """A connection whose failure to connect, which the pool logs, quotes no password."""

    @classmethod
    async def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        """Connect."""
        try:
            return await super().connect(conninfo, **kwargs)
        except psycopg.Error as error:
            redact(error, conninfo)
            raise


class _Connection(psycopg.Connection[Row]):
    """The same, for threads."""

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        """Connect."""
        try:
            return super().connect(conninfo, **kwargs)
        except psycopg.Error as error:
            redact(error, conninfo)
            raise


async def _check(connection: psycopg.AsyncConnection[Row]) -> None:
    await AsyncConnectionPool.check_connection(connection)
    _must_take_writes(connection)


def _check_sync(connection: psycopg.Connection[Row]) -> None:
    ConnectionPool.check_connection(connection)
    _must_take_writes(connection)


def _must_take_writes(connection: psycopg.BaseConnection[Row]) -> None:
    if not takes_writes(connection):
        connection.pgconn.finish()
        message = "the server takes no writes any more"
        raise psycopg.OperationalError(message)


async def _configure(connection: psycopg.AsyncConnection[Row]) -> None:
    connection.prepare_threshold = _PREPARE_AT if await is_direct(connection) else None


def _configure_sync(connection: psycopg.Connection[Row]) -> None:
    connection.prepare_threshold = _PREPARE_AT if is_direct_sync(connection) else None


async def _reset(connection: psycopg.AsyncConnection[Row]) -> None:
    connection.row_factory = tuple_row
    connection.cursor_factory = psycopg.AsyncCursor
    await connection.execute(query("forget_session"), prepare=False)
    await _configure(connection)  # the server's TCP limits were forgotten, too


def _reset_sync(connection: psycopg.Connection[Row]) -> None:
    connection.row_factory = tuple_row
    connection.cursor_factory = psycopg.Cursor
    connection.execute(query("forget_session"), prepare=False)
    _configure_sync(connection)
