"""Transactions that commit a handler's writes together with the completion of its task.

They need only an ``Attempt`` and nothing else of the worker, so handlers in other processes use
them, too.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from psycopg_pool import PoolTimeout

from pgqueue import telemetry
from pgqueue.database.queries import query
from pgqueue.errors import DatabaseUnavailable, LeaseLost, UsageError, translate
from pgqueue.handlers.steps import on_loop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from pgqueue_worker.reports.transaction_pools import TransactionPools

    Row = tuple[Any, ...]

__all__ = ["Attempt", "Transaction"]


class Attempt(Protocol):
    """What a transaction completes. It is called on the event loop, or in a handler's thread."""

    @property
    def task_id(self) -> str:
        """The task."""

    @property
    def lease_id(self) -> int:
        """The lease that must hold."""

    @property
    def type(self) -> str:
        """The type, for traces."""

    async def settle(self) -> str | None:
        """Return its unsent progress, as JSON, once all that it logged is stored.

        From then on nothing may interrupt it.
        """

    def settle_in_thread(self) -> str | None:
        """Do what ``settle`` does, for a handler in a thread."""

    def completed(self, *, watched: bool) -> None:
        """Note that the attempt is completed, durably. ``watched``: announce it."""

    def not_completed(self) -> None:
        """Note that it is not, as far as is known: it may be interrupted again."""


class Transaction:
    """One transaction; see ``pgqueue.Context.transaction``.

    Only its last statement locks the task's token. So a long transaction holds up nobody, and a
    wait for that lock is a wait for a commit.
    """

    def __init__(self, pools: TransactionPools, attempt: Attempt) -> None:
        self.result: bytes | None = None
        self._pools = pools
        self._attempt = attempt
        self._open = False
        self._used = False
        self._exit: AsyncExitStack | None = None
        self._exit_sync: ExitStack | None = None
        self._connection: psycopg.AsyncConnection[Row] | psycopg.Connection[Row] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has been entered and has not ended."""
        return self._open

    async def __aenter__(self) -> psycopg.AsyncConnection[Row]:
        """Begin, unless the lease is lost already."""
        self._use()
        async with AsyncExitStack() as stack:
            with _translated():
                pool = await self._pools.for_loop()
                connection = await stack.enter_async_context(pool.connection())
                await stack.enter_async_context(connection.transaction())
                cursor = connection.cursor()
                await cursor.execute(query("lease_holds"), self._key())
                self._check(await cursor.fetchone())
            self._connection, self._exit = connection, stack.pop_all()
        self._open = True
        return connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """Complete the task and commit, or roll back."""
        stack, connection = self._exit, self._connection
        assert stack is not None
        assert isinstance(connection, psycopg.AsyncConnection)
        if error is not None:
            self._open = False
            return await stack.__aexit__(kind, error, traceback)
        with self._completing() as watch:
            async with stack:
                progress = await self._attempt.settle()
                self._still_begun(connection)
                cursor = connection.cursor(row_factory=tuple_row)
                await cursor.execute(query("complete_attempt"), self._completion(progress))
                watch.append(await cursor.fetchone())
        return None

    def __enter__(self) -> psycopg.Connection[Row]:
        """Begin, unless the lease is lost already."""
        if on_loop():
            message = "this transaction would hold up the event loop"
            raise UsageError(message, hint="async with ctx.transaction() as conn: …")
        self._use()
        with ExitStack() as stack:
            with _translated():
                pool = self._pools.for_threads()
                connection = stack.enter_context(pool.connection())
                stack.enter_context(connection.transaction())
                self._check(connection.execute(query("lease_holds"), self._key()).fetchone())
            self._connection, self._exit_sync = connection, stack.pop_all()
        self._open = True
        return connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """Complete the task and commit, or roll back."""
        stack, connection = self._exit_sync, self._connection
        assert stack is not None
        assert isinstance(connection, psycopg.Connection)
        if error is not None:
            self._open = False
            return stack.__exit__(kind, error, traceback)
        with self._completing() as watch, stack:
            progress = self._attempt.settle_in_thread()
            self._still_begun(connection)
            cursor = connection.cursor(row_factory=tuple_row)
            cursor.execute(query("complete_attempt"), self._completion(progress))
            watch.append(cursor.fetchone())
        return None

    @contextmanager
    def _completing(self) -> Iterator[list[Row | None]]:
        """Cover the completion and the commit; the row to append says whether someone watches."""
        watch: list[Row | None] = []
        attempt = self._attempt
        try:
            with telemetry.span_from(None, f"finish {attempt.type}"), _translated():
                yield watch
        except BaseException:
            attempt.not_completed()
            raise
        finally:
            self._open = False
        attempt.completed(watched=bool(watch[0] and watch[0][0]))

    def _use(self) -> None:
        if self._used:
            message = "a transaction is entered once"
            raise UsageError(message, hint="async with ctx.transaction() as conn: …")
        self._used = True

    def _key(self) -> dict[str, object]:
        return {"task_id": self._attempt.task_id, "lease_id": self._attempt.lease_id}

    def _completion(self, progress: str | None) -> dict[str, object]:
        result = None if self.result is None else self.result.decode()
        return {**self._key(), "result": result, "progress": progress}

    def _check(self, row: Row | None) -> None:
        if not (row and row[0]):
            attempt = self._attempt
            message = f"lease {attempt.lease_id} of task {attempt.task_id} no longer holds"
            raise LeaseLost(
                message,
                hint="the task was rescued, cancelled or finished meanwhile: stop working on it",
            )

    def _still_begun(
        self, connection: psycopg.AsyncConnection[Row] | psycopg.Connection[Row]
    ) -> None:
        status = connection.info.transaction_status
        if status is TransactionStatus.INTRANS:
            return
        message = f"the transaction cannot complete the task: it is {status.name}"
        raise UsageError(
            message,
            hint="let exceptions leave the block, and neither commit nor roll back inside it",
        )


@contextmanager
def _translated() -> Iterator[None]:
    """Raise pgqueue's errors for what is not about the handler's own statements."""
    try:
        yield
    except PoolTimeout as error:
        message = "no connection for a transaction became free in time"
        raise DatabaseUnavailable(message, hint="keep transactions short") from error
    except psycopg.Error as error:
        translated = translate(error)
        if isinstance(translated, LeaseLost | DatabaseUnavailable):
            raise translated from error
        raise  # a deferred constraint of the handler's tables, say
