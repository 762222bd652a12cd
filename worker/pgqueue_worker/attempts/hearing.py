"""A link that listens for notifications itself, between its calls: without another process."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from pgqueue.database.link import Link
from pgqueue.database.queries import query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pgqueue.database.connection import Connection

__all__ = ["HearingLink"]


class HearingLink(Link):
    """Calls ``on_ring`` with the queues that have runnable tasks; with none: look at all of them.

    Without ``on_ring`` it does not listen, nor behind a transaction pooler, where no session can.
    """

    def __init__(
        self, dsn: str, name: str, *, setup: str, on_ring: Callable[[list[str]], None] | None
    ) -> None:
        super().__init__(dsn, name, setup=setup)
        self._on_ring = on_ring

    async def _set_up(self, connection: Connection) -> None:
        await super()._set_up(connection)
        if (on_ring := self._on_ring) is not None and not connection.pooled:
            # takes those that arrive during a call
            connection.add_notify_handler(lambda notice: on_ring(notice.payload.split(",")))
            await connection.execute(query("listen_ready"))

    @contextmanager
    def hearing(self) -> Iterator[None]:
        """Take notifications while the block runs; meanwhile no call may be made."""
        connection, on_ring = self._connection, self._on_ring
        if on_ring is None or connection is None or connection.pooled or connection.closed:
            yield
            return
        loop = asyncio.get_running_loop()
        server, socket = connection.pgconn, connection.fileno()

        def take() -> None:
            while notice := server.notifies():
                on_ring(notice.extra.decode().split(","))

        def read() -> None:
            try:
                server.consume_input()
                take()
            except psycopg.Error:  # the connection has ended: the next call raises it
                loop.remove_reader(socket)
                on_ring([])

        take()  # for what came with the last answer the socket does not become readable
        loop.add_reader(socket, read)
        try:
            yield
        finally:
            loop.remove_reader(socket)
