"""A connection of the caller's: as much of it as enqueueing uses, whichever way it is set up."""

from __future__ import annotations

import json
import re
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import psycopg
from psycopg.rows import dict_row

from pgqueue.database.queries import query
from pgqueue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Lent", "lent", "lent_to_sync"]

_UNDER = (
    "of another library's connection, pass the psycopg connection under it; where that is not "
    "psycopg 3, call pgqueue.enqueue in SQL"
)


class _Async:
    """psycopg's asynchronous connection."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    async def stored(self, name: str, tasks: str) -> dict[str, Any]:
        """Return the row of a query that stores tasks, given as JSON."""
        # The caller's kind of cursor may take other parameters and return other rows.
        cursor = psycopg.AsyncCursor(self._connection, row_factory=dict_row)
        await cursor.execute(query(name), {"tasks": _sendable(tasks, self._connection)})
        row = await cursor.fetchone()
        assert row is not None  # a function call returns a row
        return row

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        """Run the block as a whole: in a transaction, or behind a savepoint of the caller's."""
        return self._connection.transaction()


class _Sync:
    """psycopg's synchronous connection: its methods wait for nothing on an event loop."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    async def stored(self, name: str, tasks: str) -> dict[str, Any]:
        """Do what that of ``_Async`` does."""
        cursor = psycopg.Cursor(self._connection, row_factory=dict_row)
        cursor.execute(query(name), {"tasks": _sendable(tasks, self._connection)})
        row = cursor.fetchone()
        assert row is not None
        return row

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Do what that of ``_Async`` does."""
        with self._connection.transaction():
            yield


Lent: TypeAlias = _Async | _Sync


def lent(connection: object) -> Lent:
    """Return what stores tasks on a connection; ``UsageError`` if it is of another kind."""
    if isinstance(connection, psycopg.AsyncConnection):
        return _Async(connection)
    if isinstance(connection, _Sync):
        return connection
    if isinstance(connection, psycopg.Connection):
        raise UsageError(
            "connection is a psycopg.Connection, which would block the event loop",
            hint="pass a psycopg.AsyncConnection, or use SyncClient",
        )
    raise UsageError(
        f"connection is not a psycopg.AsyncConnection: {type(connection).__qualname__}",
        hint=_UNDER,
    )


def lent_to_sync(connection: object) -> psycopg.AsyncConnection[Any] | None:
    """Return a synchronous connection as the asynchronous client takes it."""
    if connection is None:
        return None
    if isinstance(connection, psycopg.Connection):
        return cast("psycopg.AsyncConnection[Any]", _Sync(connection))
    if isinstance(connection, psycopg.AsyncConnection):
        raise UsageError(
            "connection is a psycopg.AsyncConnection, which needs an event loop",
            hint="pass a psycopg.Connection, or use PgQueue",
        )
    raise UsageError(
        f"connection is not a psycopg.Connection: {type(connection).__qualname__}", hint=_UNDER
    )


def _sendable(tasks: str, connection: psycopg.BaseConnection[Any]) -> str:
    """Return JSON in ASCII where the connection's encoding may lack some of its characters."""
    if tasks.isascii() or connection.info.encoding == "utf-8":
        return tasks
    return re.sub(r"[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], tasks)
