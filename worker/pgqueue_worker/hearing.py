"""A link that hears the doorbell itself, between its calls: no other process stands between."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg

from pgqueue.database import Link
from pgqueue.queries import query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pgqueue.connecting import Connection

__all__ = ["HearingLink"]


class HearingLink(Link):
    """Calls ``on_ring`` with the queues that hold runnable tasks; none: look at all of them.

    Behind a transaction pooler, where a session cannot listen, it is never called.
    """

    def __init__(
        self, dsn: str, name: str, *, setup: str, on_ring: Callable[[list[str]], None]
    ) -> None:
        super().__init__(dsn, name, setup=setup)
        self._on_ring = on_ring

    async def _made(self) -> Connection:
        connection = await super()._made()
        if not connection.pooled:
            connection.add_notify_handler(self._hear)  # for those that come during a call
            await connection.execute(query("listen_ready"))
        return connection

    @contextmanager
    def hearing(self) -> Iterator[None]:
        """Hear what comes inside; meanwhile no call may be made."""
        connection = self._connection
        if connection is None or connection.pooled or connection.closed:
            yield
            return
        loop = asyncio.get_running_loop()
        socket = connection.fileno()

        def read() -> None:
            try:
                connection.pgconn.consume_input()
                self._take(connection)
            except psycopg.Error:  # the server has gone: the next call says so
                loop.remove_reader(socket)
                self._on_ring([])

        self._take(connection)  # what was read with the last answer rings no socket
        loop.add_reader(socket, read)
        try:
            yield
        finally:
            loop.remove_reader(socket)

    def _take(self, connection: psycopg.AsyncConnection[Any]) -> None:
        while notice := connection.pgconn.notifies():
            self._on_ring(notice.extra.decode().split(","))

    def _hear(self, notice: psycopg.Notify) -> None:
        self._on_ring(notice.payload.split(","))
