"""``Link``: one connection to PostgreSQL that reconnects after it broke."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row, tuple_row

from pgqueue.database.connection import (
    Connection,
    fetched,
    is_outdated,
    is_silent,
    takes_writes,
)
from pgqueue.database.queries import query
from pgqueue.errors import AnswerLost, DatabaseBusy, DatabaseUnavailable, translate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from psycopg.rows import AsyncRowFactory

    from pgqueue.database.options import Options, Timeouts
    from pgqueue.errors import PgQueueError

    Parameters = Mapping[str, Any] | Sequence[Any]

__all__ = ["Link"]

AnyRow = TypeVar("AnyRow")

_UNFINISHED = (TransactionStatus.INTRANS, TransactionStatus.INERROR)
_BUSY = (
    psycopg.errors.QueryCanceled,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)


class Link:
    """One connection for one loop, or lent by a ``Pool``: its calls come one after the other.

    - It connects on first use, and again when the connection broke. It tries once: when that fails,
    the call raises ``DatabaseUnavailable`` at once, and the caller decides when to try again.
    - Before each call it looks whether the server has closed the connection meanwhile.
    - Each wait is bounded by its ``Timeouts``: by PostgreSQL, and by the link where PostgreSQL does
      not answer at all.
    - After a call the connection is kept if it is idle and its server takes writes. It is closed
      when it broke, when the caller was cancelled (what the server still does must not meet the
      next call), and when the server is a standby or was told to refuse writes.
    - Statements are prepared on first use, unless a pooler stands between. When a migration changed
      the columns of one, it is prepared again and the call repeated.
    """

    def __init__(self, dsn: str, options: Options) -> None:
        self._dsn = dsn
        self._options = options
        self.timeouts: Timeouts = options.timeouts
        """The limits of each call; they may be changed between calls."""
        self._connection: Connection | None = None
        self._in_transaction = False
        self.retired = False
        """Whether the last connection was closed because its server takes no writes."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connection is not None and not self._connection.closed

    @property
    def usable(self) -> bool:
        """Whether there is a connection that the server has not closed."""
        return self._connection is not None and self._open(self._connection)

    async def connect(self) -> None:
        """Connect, unless there is a connection that the server has not closed."""
        with self._translated():
            await self._live()

    async def close(self) -> None:
        """Close the connection; the next call makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def abandon(self) -> None:
        """Drop the connection where the event loop that could close it is gone."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.pgconn.finish()

    async def rows(self, name: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Run a named query and return its rows as tuples, from PostgreSQL's binary format."""
        return await self._ask(name, parameters, tuple_row, binary=True)

    async def dicts(
        self, name: str, parameters: Parameters = (), *, binary: bool = False
    ) -> list[dict[str, Any]]:
        """Run a named query and return its rows as dicts.

        ``binary`` halves what crosses the network for rows that hold much bytea.
        """
        return await self._ask(name, parameters, dict_row, binary=binary)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend the connection itself, in autocommit mode, for statements of the caller's."""
        with self._translated():
            connection = await self._live()
            async with self._returned(connection):
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Run the calls inside in one transaction, each with the limits; an error rolls it back."""
        with self._translated():
            connection = await self._live()
            async with self._returned(connection):
                self._in_transaction = True
                try:
                    await connection.execute(query("begin"))
                    if self.timeouts.statement_s is not None:
                        await connection.execute(query("bound_call"), self._limits())
                    yield
                    await connection.execute(query("commit"))
                finally:
                    self._in_transaction = False

    @contextmanager
    def hearing(self) -> Iterator[None]:
        """Hand notifications to ``on_notify`` as they come; no call may be made meanwhile.

        Those that come during a call are handed over with its answer.
        """
        connection, on_notify = self._connection, self._options.on_notify
        if on_notify is None or connection is None or not self._listens(connection):
            yield
            return
        loop = asyncio.get_running_loop()
        server, socket = connection.pgconn, connection.fileno()

        def take() -> None:
            while notice := server.notifies():
                on_notify(notice.extra.decode())

        def read() -> None:
            try:
                server.consume_input()
                take()
            except psycopg.Error:  # the server has gone
                loop.remove_reader(socket)
                on_notify("")

        take()  # what was read with the last answer wakes nobody
        loop.add_reader(socket, read)
        try:
            yield
        finally:
            loop.remove_reader(socket)

    async def _ask(
        self,
        name: str,
        parameters: Parameters,
        row_factory: AsyncRowFactory[AnyRow],
        *,
        binary: bool,
    ) -> list[AnyRow]:
        with self._translated():
            rows, stale = await self._answer(name, parameters, row_factory, binary=binary)
            if stale:  # the server was retired meanwhile: ask its successor
                rows, _ = await self._answer(name, parameters, row_factory, binary=binary)
            return rows

    async def _answer(
        self,
        name: str,
        parameters: Parameters,
        row_factory: AsyncRowFactory[AnyRow],
        *,
        binary: bool,
    ) -> tuple[list[AnyRow], bool]:
        connection = await self._live()
        try:
            cursor = connection.cursor(binary=binary, row_factory=row_factory)
            try:
                stale = await self._execute(connection, cursor, name, parameters)
            except psycopg.errors.FeatureNotSupported as error:
                if self._in_transaction or not is_outdated(error):
                    raise
                await connection.rollback()
                await connection.execute(query("forget_plans"))
                stale = await self._execute(connection, cursor, name, parameters)
            rows = await fetched(cursor)
        except BaseException as error:
            await self._keep_or_close(connection, error)
            raise
        await self._keep_or_close(connection)
        return rows, stale

    async def _execute(
        self,
        connection: Connection,
        cursor: psycopg.AsyncCursor[Any],
        name: str,
        parameters: Parameters,
    ) -> bool:
        """Run a query, and return whether its answer is outdated although nothing was written."""
        if self.timeouts.statement_s is None or self._in_transaction:
            await cursor.execute(query(name), parameters)
            return False
        async with connection.pipeline():
            await connection.execute(query("begin"))
            limits = await connection.execute(query("bound_call"), self._limits())
            await cursor.execute(query(name), parameters)
            await connection.execute(query("commit"))
        if takes_writes(connection):
            return False
        ((*_, read_only),) = await limits.fetchall()
        return bool(read_only == "on")

    def _limits(self) -> dict[str, Any]:
        timeouts = self.timeouts
        assert timeouts.statement_s is not None
        return {
            "statement_ms": str(int(timeouts.statement_s * 1000)),
            "lock_ms": str(int(timeouts.lock_s * 1000)),
            "read_only": self._options.read_only,
        }

    async def _live(self) -> Connection:
        connection = self._connection
        if connection is None or not (self._in_transaction or self._open(connection)):
            await self.close()
            connection = self._connection = await self._made()
        connection.answer_s = self.timeouts.silence_s
        return connection

    def _open(self, connection: Connection) -> bool:
        # on one that listens, unsolicited data may be a notification
        return not connection.closed if self._listens(connection) else is_silent(connection)

    def _listens(self, connection: Connection) -> bool:
        return bool(self._options.listen) and not connection.pooled and not connection.closed

    async def _made(self) -> Connection:
        options = self._options
        answer_s = self.timeouts.silence_s
        connection = await Connection.made(self._dsn, options.name, answer_s=answer_s)
        try:
            if options.setup:
                await connection.execute(query(options.setup))
            on_notify = options.on_notify
            if on_notify is not None and self._listens(connection):
                connection.add_notify_handler(lambda notice: on_notify(notice.payload))
                await connection.execute(query(options.listen))
        except BaseException:
            await connection.close()
            raise
        self.retired = False
        return connection

    @asynccontextmanager
    async def _returned(self, connection: Connection) -> AsyncIterator[None]:
        try:
            yield
        except BaseException as error:
            await self._keep_or_close(connection, error)
            raise
        await self._keep_or_close(connection)

    async def _keep_or_close(
        self, connection: Connection, error: BaseException | None = None
    ) -> None:
        if self._in_transaction:
            return  # the end of the transaction handles it
        info = connection.info
        refused = isinstance(error, psycopg.errors.ReadOnlySqlTransaction)
        self.retired = refused or not (connection.closed or takes_writes(connection))
        if not self.retired and isinstance(error, Exception):
            with suppress(psycopg.Error):
                if info.transaction_status in _UNFINISHED:
                    await connection.rollback()
        if self.retired or info.transaction_status != TransactionStatus.IDLE:
            await self.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._error(error) from error

    def _error(self, error: psycopg.Error) -> PgQueueError:
        if isinstance(error, _BUSY) and self.timeouts.statement_s is not None:
            return DatabaseBusy(
                f"the database did not answer in time: {error.diag.message_primary}"
            )
        found = translate(error)
        if isinstance(found, AnswerLost) and self._options.read_only:
            return DatabaseUnavailable(found.message)  # nothing can have been done
        return found
