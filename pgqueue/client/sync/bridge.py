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

__all__ = ["Bridge", "Bridged", "BridgedClient"]

Answer = TypeVar("Answer")
Twin = TypeVar("Twin")


class Bridge:
    """Runs a client's coroutines on an event loop in a thread, which the first call starts.

    The thread ends with ``close``, and when nobody has the bridge any more. It is a daemon, so a
    client that nobody closes does not keep its process alive. A forked process has no such thread:
    its first call starts one of its own.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._loop: _LoopThread | None = None
        self._finalizer: weakref.finalize[[], Bridge] | None = None
        _bridges.add(self)

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
        with self._lock:  # a call that comes now waits, or two loops would share the client
            if self._loop is not None and self._finalizer is not None:
                loop, self._loop = self._loop, None
                self._finalizer.detach()
                loop.close()

    def _submit(self, call: Coroutine[Any, Any, Answer]) -> futures.Future[Answer]:
        with self._lock:
            if self._loop is None:
                self._loop = _LoopThread(self._client)
                self._finalizer = weakref.finalize(self, self._loop.close)
            return self._loop.submit(call)

    def start_anew(self) -> None:
        """Forget the parent's thread, in a process that was just forked."""
        self._lock = threading.Lock()  # another thread may have held the parent's at the fork
        self._loop = None
        if self._finalizer is not None:
            self._finalizer.detach()


_bridges: weakref.WeakSet[Bridge] = weakref.WeakSet()


def _start_anew() -> None:
    for bridge in [*_bridges]:
        bridge.start_anew()


os.register_at_fork(after_in_child=_start_anew)


class _LoopThread:
    """An event loop that runs in a thread until it is closed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="pgqueue client", daemon=True)
        self._thread.start()

    def submit(self, call: Coroutine[Any, Any, Answer]) -> futures.Future[Answer]:
        """Start a call, for another thread to wait for."""
        if threading.current_thread() is self._thread:
            raise UsageError(
                "this call was made from within another call of the same client",
                hint="finish one call before the next",
            )
        return asyncio.run_coroutine_threadsafe(call, self._loop)

    def close(self) -> None:
        """Close the client, end its calls, and end the thread."""
        ended = asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        if threading.current_thread() is not self._thread:  # a finalizer may run anywhere
            try:
                ended.result()
            finally:
                self._thread.join()

    def _serve(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    async def _end(self) -> None:
        try:
            await self._client.close()
            calls = asyncio.all_tasks() - {asyncio.current_task()}
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            await self._client.close()  # one of them may have opened it again
        finally:
            self._loop.call_soon(self._loop.stop)


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
        super().__init__(client, Bridge(client))

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


def _run_at_once(call: Coroutine[Any, Any, Answer]) -> Answer:
    """Return what a coroutine returns that waits for nothing on the event loop."""
    try:
        call.send(None)
    except StopIteration as end:
        return cast("Answer", end.value)
    call.close()
    raise AssertionError("a call on a lent connection waits for that connection only")
