"""The API's connections: a few of them, made on use, so that nothing waits for a dead server.

A pool that reconnects in the background backs off while PostgreSQL is down and is late when it is
back. Here a call finds a live connection or makes one, or fails at once.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from pgqueue.database.link import (
    Connection,
    fetched,
    is_silent,
    outdated,
    takes_writes,
    translated,
)
from pgqueue.database.queries import query
from pgqueue.errors import AnswerLost, DatabaseUnavailable
from pgqueue_api.problems import DatabaseBusy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from pgqueue.database.link import Row

__all__ = ["Pool"]

_BUSY = (
    psycopg.errors.QueryCanceled,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)


class Pool:
    """At most ``size`` connections that run named queries, each in a transaction with a time limit.

    Raises ``DatabaseUnavailable`` when there is no database, ``DatabaseBusy`` when it does not
    answer within ``timeout_s``. The limit is set for the transaction only, so that a transaction
    pooler in between hands it to nobody else.
    """

    def __init__(
        self, dsn: str, name: str, *, size: int, timeout_s: float, read_only: bool = False
    ) -> None:
        self._dsn = dsn
        self._name = name
        self._timeout_s = timeout_s
        self._read_only = read_only
        self._bound = "bound_read" if read_only else "bound_transaction"
        self._bounds = {"milliseconds": str(int(timeout_s * 1000))}
        self._free: asyncio.LifoQueue[Connection | None] = asyncio.LifoQueue()
        for _ in range(size):
            self._free.put_nowait(None)

    async def rows(
        self, name: str, parameters: Mapping[str, Any] | None = None, *, binary: bool = False
    ) -> list[Row]:
        """Run a named query in a transaction of its own and give its rows, after its commit.

        Rows that hold much bytea come ``binary``: half as many bytes.
        """
        rows, is_current = await self._rows(name, parameters, binary=binary)
        if not is_current:  # the server was retired meanwhile: ask the one that took its place
            rows, _ = await self._rows(name, parameters, binary=binary)
        return rows

    async def _rows(
        self, name: str, parameters: Mapping[str, Any] | None, *, binary: bool
    ) -> tuple[list[Row], bool]:
        async with self._lent() as connection:
            try:
                rows = await self._ask(connection, name, parameters, binary=binary)
            except psycopg.errors.FeatureNotSupported as error:
                if not outdated(error):
                    raise
                await connection.rollback()
                await connection.execute(query("forget_plans"))
                rows = await self._ask(connection, name, parameters, binary=binary)
            return rows, takes_writes(connection)

    async def _ask(
        self,
        connection: psycopg.AsyncConnection[Any],
        name: str,
        parameters: Mapping[str, Any] | None,
        *,
        binary: bool,
    ) -> list[Row]:
        async with connection.pipeline():
            await connection.execute(query("begin"))
            await connection.execute(query(self._bound), self._bounds)
            cursor = connection.cursor(row_factory=dict_row, binary=binary)
            await cursor.execute(query(name), parameters)
            await connection.execute(query("commit"))
        return await fetched(cursor)

    async def row(self, name: str, parameters: Mapping[str, Any] | None = None) -> Row | None:
        """Run a named query and give its first row, if any."""
        rows = await self.rows(name, parameters)
        return rows[0] if rows else None

    async def close(self) -> None:
        """Close what is free; what is lent is closed by its borrower's end."""
        while not self._free.empty():
            connection = self._free.get_nowait()
            if connection is not None:
                await connection.close()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Connection]:
        patience_s = self._timeout_s + 3
        try:
            async with asyncio.timeout(patience_s):
                connection = await self._free.get()
        except TimeoutError as error:
            raise DatabaseBusy("no database connection became free in time") from error
        usable = False
        try:
            with translated(), _busy():
                async with asyncio.timeout(patience_s):
                    if connection is not None and not is_silent(connection):
                        await connection.close()
                        connection = None
                    connection = connection or await self._connect()
                    try:
                        yield connection
                    except psycopg.Error as error:
                        if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
                            await connection.close()
                        elif connection.info.transaction_status == TransactionStatus.INERROR:
                            await connection.rollback()
                        raise
                    finally:
                        usable = (
                            connection.info.transaction_status == TransactionStatus.IDLE
                            and takes_writes(connection)
                        )
        except TimeoutError as error:
            raise DatabaseBusy("the database did not answer in time") from error
        except AnswerLost as error:
            if self._read_only:  # nothing can have been done
                raise DatabaseUnavailable(error.message) from error
            raise
        finally:
            if connection is not None and not usable:
                await connection.close()
            self._free.put_nowait(connection if usable else None)

    async def _connect(self) -> Connection:
        # PostgreSQL keeps the limit; this is for a server that is silent
        return await Connection.made(self._dsn, self._name, answer_s=self._timeout_s + 2)


@contextmanager
def _busy() -> Iterator[None]:
    try:
        yield
    except _BUSY as error:
        raise DatabaseBusy(
            f"the database did not answer in time: {error.diag.message_primary}"
        ) from error
