"""Connections to PostgreSQL: bounded waits everywhere, and errors of pgqueue's own tree."""

from __future__ import annotations

import select
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from pgqueue.database.connection import ANSWER_S, Connection, connection_arguments, decode
from pgqueue.database.queries import query
from pgqueue.errors import DatabaseUnavailable, translate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

__all__ = [
    "Bounds",
    "Connection",
    "Database",
    "Link",
    "Row",
    "connection_arguments",
    "decode",
    "fetched",
    "translated",
]

Row = dict[str, Any]
AnyRow = TypeVar("AnyRow")

# A statement of a client may wait for a key that another's transaction holds.
_CLIENT_ANSWER_S = 60.0


def is_silent(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Say whether the server has said nothing since: what it says unasked is goodbye."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


def takes_writes(connection: psycopg.BaseConnection[Any]) -> bool:
    """Say whether the server takes writes, by what it said last; it tells with any answer.

    A standby does not, nor a primary that was told to refuse them before another takes its place.
    Its reads are of the past, so a connection to it is given up even where nothing failed.
    """
    said = connection.info.parameter_status
    return "on" not in (said("in_hot_standby"), said("default_transaction_read_only"))


@contextmanager
def translated() -> Iterator[None]:
    """Turn psycopg's errors into pgqueue's."""
    try:
        yield
    except PoolTimeout as error:
        message = "no database connection became free in time"
        raise DatabaseUnavailable(message, hint="is PostgreSQL running?") from error
    except psycopg.Error as error:
        raise translate(error) from error


async def fetched(cursor: psycopg.AsyncCursor[AnyRow]) -> list[AnyRow]:
    """Give all rows of a cursor; none of a statement that gives none.

    It does not ask for the ``description``: that makes an object for each column.
    """
    result = cursor.pgresult
    return await cursor.fetchall() if result is not None and result.nfields else []


def outdated(error: psycopg.Error) -> bool:
    """Say whether a migration changed the columns of what a prepared statement reads."""
    return error.diag.source_function == "RevalidateCachedQuery"  # its message may be translated


class Database:
    """A pool of connections that speaks named queries.

    Raises ``DatabaseUnavailable`` when PostgreSQL cannot be reached within ``timeout`` seconds.
    """

    def __init__(
        self,
        dsn: str,
        *,
        application_name: str = "pgqueue",
        min_size: int = 1,
        max_size: int = 4,
        timeout: float = 5,
    ) -> None:
        self.dsn = dsn
        self._timeout = timeout
        self._pool = AsyncConnectionPool(
            dsn,
            connection_class=Connection,
            kwargs=connection_arguments(application_name),
            min_size=min_size,
            max_size=max_size,
            timeout=timeout,
            open=False,
            configure=self._configure,
            reconnect_timeout=timeout,  # or it tries less and less often, and is late when it works
        )

    async def _configure(self, connection: Connection) -> None:
        await connection.make_ready(_CLIENT_ANSWER_S)

    async def open(self, *, wait: bool = True) -> None:
        """Open the pool; with ``wait``, raise ``DatabaseUnavailable`` unless one is made."""
        with translated():
            await self._pool.open(wait=wait, timeout=self._timeout)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    def abandon(self) -> None:
        """Drop every idle connection where the event loop that could close them is gone."""
        pool = self._pool
        pool._closed = True  # noqa: SLF001  else its finalizer would look for that loop
        while pool._pool:  # noqa: SLF001
            pool._pool.popleft().pgconn.finish()  # noqa: SLF001

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """Lend a connection in autocommit mode that the server has not ended meanwhile."""
        with translated():
            while True:
                async with self._pool.connection() as connection:
                    if is_silent(connection):
                        async with self._left_if_read_only(connection):
                            yield connection
                        return
                    await connection.close()

    @asynccontextmanager
    async def _left_if_read_only(
        self, connection: psycopg.AsyncConnection[Any]
    ) -> AsyncIterator[None]:
        """Give up all connections once one says that its server takes no writes."""
        refused = False
        try:
            yield
        except psycopg.errors.ReadOnlySqlTransaction:
            refused = True
            raise
        finally:
            if refused or not (connection.closed or takes_writes(connection)):
                await self._pool.drain()

    async def rows(self, name: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Run a named query and give all its rows."""
        async with self.connection() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            try:
                await cursor.execute(query(name), parameters or {})
            except psycopg.errors.FeatureNotSupported as error:
                if not outdated(error):
                    raise
                await connection.execute(query("forget_plans"))
                await cursor.execute(query(name), parameters or {})
            return await fetched(cursor)

    async def row(self, name: str, parameters: Mapping[str, Any] | None = None) -> Row | None:
        """Run a named query and give its first row, if any."""
        rows = await self.rows(name, parameters)
        return rows[0] if rows else None


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a statement may take, and how long it may wait for a lock, in seconds."""

    statement_s: float
    lock_s: float


class Link:
    """One connection of its own for one loop: made on first use, made again after it broke.

    Calls on it come one after the other; ``DatabaseUnavailable`` leaves it closed for the next try.
    With ``bounds`` each call is a transaction of its own with these limits, which a transaction
    pooler in between hands to nobody else. ``setup`` names a query to begin with. An answer
    is waited for as long as ``bounds`` let a statement take and a little more; without them for
    ``answer_s``.
    """

    def __init__(
        self,
        dsn: str,
        application_name: str,
        *,
        setup: str = "",
        bounds: Bounds | None = None,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._dsn = dsn
        self._name = application_name
        self._setup = setup
        self.bounds = bounds
        """The limits of each call; they may be changed between calls."""
        self._answer_s = answer_s
        self._connection: Connection | None = None
        self._in_transaction = False

    async def rows(
        self, name: str, parameters: Mapping[str, Any] | Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Run a named query and give its rows."""
        with translated():
            try:
                return await self._rows(name, parameters)
            except psycopg.errors.FeatureNotSupported as error:
                if self._in_transaction or not outdated(error):
                    raise
                await self.close()
                return await self._rows(name, parameters)

    async def _rows(
        self, name: str, parameters: Mapping[str, Any] | Sequence[Any]
    ) -> list[tuple[Any, ...]]:
        try:
            connection = self._connection = self._connection or await self._made()
            if self.bounds is not None:
                connection.answer_s = self.bounds.statement_s + 3
            cursor = connection.cursor(binary=True)
            if self.bounds is None or self._in_transaction:
                await cursor.execute(query(name), parameters)
            else:
                await self._bounded(self.bounds, connection, cursor, name, parameters)
            rows = await fetched(cursor)
        except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction):
            await self.close()
            raise
        except BaseException:
            # cancelled in the middle: what the server still does must not meet the next call
            if self._connection is not None and self._connection.info.transaction_status != 0:
                await self.close()
            raise
        if not self._in_transaction and not takes_writes(connection):
            await self.close()
        return rows

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Make the calls inside one transaction, each with the limits; an error rolls it back."""
        self._in_transaction = True
        try:
            await self.rows("begin")
            if self.bounds is not None:
                await self.rows("bound_duty", _limits(self.bounds))
            yield
            await self.rows("commit")
        except BaseException:
            await self.close()
            raise
        finally:
            self._in_transaction = False

    async def _bounded(
        self,
        bounds: Bounds,
        connection: Connection,
        cursor: psycopg.AsyncCursor[Any],
        name: str,
        parameters: Mapping[str, Any] | Sequence[Any],
    ) -> None:
        async with connection.pipeline():
            await connection.execute(query("begin"))
            await connection.execute(query("bound_duty"), _limits(bounds))
            await cursor.execute(query(name), parameters)
            await connection.execute(query("commit"))

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _made(self) -> Connection:
        connection = await Connection.made(self._dsn, self._name, answer_s=self._answer_s)
        try:
            await self._set_up(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _set_up(self, connection: Connection) -> None:
        if self._setup:
            await connection.execute(query(self._setup))


def _limits(bounds: Bounds) -> dict[str, str]:
    return {
        "statement_ms": str(int(bounds.statement_s * 1000)),
        "lock_ms": str(int(bounds.lock_s * 1000)),
    }
