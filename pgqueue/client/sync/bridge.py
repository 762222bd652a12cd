"""One event loop in a thread, on which calls of any thread run.

The modules beside this one are generated; all that they do is call what is here.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from concurrent import futures
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

from pgqueue.client.app import Client
from pgqueue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType

    import psycopg

    from pgqueue.settings import Settings

__all__ = ["Bridge", "Bridged", "BridgedClient", "lent"]

Answer = TypeVar("Answer")
Twin = TypeVar("Twin")


class Bridge:
    """Runs a client's coroutines on an event loop in a thread, which the first call starts.

    The thread is a daemon, so a client that nobody closes does not keep its process alive.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0

    def run(
        self, call: Coroutine[Any, Any, Answer], connection: psycopg.Connection[Any] | None = None
    ) -> Answer:
        """Return what a call returns, or raise what it raises; an interrupted one is cancelled.

        With the caller's ``connection`` it runs in this thread: it waits for nothing else, and
        while it waits for a lock, calls of other threads go on.
        """
        if connection is not None:
            return _run_at_once(call)
        try:
            future = self._submit(call)
        except BaseException:
            call.close()
            raise
        try:
            return future.result()
        except futures.CancelledError as error:
            raise UsageError(
                "the client was closed during the call", hint="close it after the last call"
            ) from error
        except BaseException:
            future.cancel()  # does nothing to a call that has ended
            raise

    def close(self) -> None:
        """Close the client and end the thread; the next call starts another."""
        if self._pid != os.getpid():
            return
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        ended = asyncio.run_coroutine_threadsafe(self._end(), loop)
        if threading.current_thread() is not thread:  # the garbage collector runs anywhere
            try:
                ended.result()
            finally:
                thread.join()

    def _submit(self, call: Coroutine[Any, Any, Answer]) -> futures.Future[Answer]:
        with self._lock:  # or a call could be handed to a loop that close has stopped
            if self._loop is None:
                self._loop, self._pid = asyncio.new_event_loop(), os.getpid()
                self._thread = threading.Thread(
                    target=_serve, args=[self._loop], name="pgqueue client", daemon=True
                )
                self._thread.start()
            elif self._pid != os.getpid():
                raise UsageError(
                    "this client was opened before a fork", hint="make a client in each process"
                )
            elif threading.current_thread() is self._thread:
                raise UsageError(
                    "this call was made from within another call of the same client",
                    hint="finish one call before the next",
                )
            return asyncio.run_coroutine_threadsafe(call, self._loop)

    async def _end(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await self._client.close()
            calls = asyncio.all_tasks() - {asyncio.current_task()}
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            await self._client.close()  # one of them may have opened it again
        finally:
            loop.call_soon(loop.stop)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


class Bridged(Generic[Twin]):
    """An asynchronous object behind calls that wait for it."""

    def __init__(self, twin: Twin, bridge: Bridge) -> None:
        self._twin = twin
        self._bridge = bridge


class BridgedClient(Bridged[Client]):
    """``PgQueue``'s client for plain functions; one serves many threads.

    Connects on first use with ``PGQUEUE_DATABASE_URL`` or the connection string given; use it as a
    context manager, or call ``close``, to close the connections. Its calls run on an event loop
    in a thread of its own and raise what ``PgQueue``'s raise. ``connection`` is your own
    ``psycopg.Connection``: the task is then enqueued inside its transaction, and only if that
    commits.
    """

    def __init__(
        self, database_url: str | None = None, *, settings: Settings | None = None
    ) -> None:
        client = Client(database_url, settings=settings)
        bridge = Bridge(client)
        super().__init__(client, bridge)
        weakref.finalize(self, bridge.close)

    def __enter__(self) -> Self:
        """Open the connections."""
        try:
            self._bridge.run(self._twin.__aenter__())
        except BaseException:
            self._bridge.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self._bridge.close()

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        self._bridge.close()


def lent(connection: psycopg.Connection[Any] | None) -> psycopg.AsyncConnection[Any] | None:
    """Return a synchronous connection behind as much of an asynchronous one as enqueueing uses."""
    return cast("psycopg.AsyncConnection[Any]", _Lent(connection)) if connection else None


class _Lent:
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def cursor(self, **options: Any) -> _LentCursor:
        return _LentCursor(self._connection.cursor(**options))


class _LentCursor:
    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        self._cursor = cursor

    async def execute(self, *statement: Any) -> None:
        self._cursor.execute(*statement)

    async def fetchone(self) -> Any:
        return self._cursor.fetchone()


def _run_at_once(call: Coroutine[Any, Any, Answer]) -> Answer:
    """Return what a coroutine returns that waits for nothing on the event loop."""
    try:
        call.send(None)
    except StopIteration as end:
        return cast("Answer", end.value)
    call.close()
    raise AssertionError("a call on a lent connection waits for that connection only")
