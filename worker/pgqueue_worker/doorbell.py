"""The one listener of a supervisor: wake-ups and control messages for all its worker processes.

A notification is a hint. After every connect everyone looks once, and workers poll in any case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pgqueue.database import Connection, takes_writes, translated
from pgqueue.errors import DatabaseUnavailable
from pgqueue.queries import query
from pgqueue_worker.retrying import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

_CHECK_S = 5.0
_ANSWER_S = 5.0


class Doorbell:
    """Listens for ever, and connects again when the connection breaks or falls silent."""

    def __init__(
        self, dsn: str, on_ring: Callable[[list[str]], None], on_control: Callable[[str], None]
    ) -> None:
        self._dsn = dsn
        self._on_ring = on_ring
        self._on_control = on_control
        self._patience = Patience("listen")
        self.connected = False

    async def run(self) -> None:
        """Listen for ever."""
        while True:
            try:
                with translated():
                    await self._listen()
            except DatabaseUnavailable as error:
                await self._patience.failed(error)
            finally:
                self.connected = False

    async def _listen(self) -> None:
        made = Connection.made(self._dsn, "pgqueue listen", answer_s=_ANSWER_S, prepares=False)
        async with await made as connection:
            await connection.execute(query("listen_ready"))
            await connection.execute(query("listen_control"))
            self.connected = True
            self._patience.succeeded()
            self._on_ring([])
            while True:
                connection.answer_s = None  # it need not say anything
                async for notice in connection.notifies(timeout=_CHECK_S):
                    self._notice(notice)
                connection.answer_s = _ANSWER_S
                await connection.execute(query("ping"))  # is the other side still there?
                if not takes_writes(connection):
                    message = "the server takes no writes any more, so nobody rings there"
                    raise DatabaseUnavailable(message)

    def _notice(self, notice: psycopg.Notify | Any) -> None:
        if notice.channel == "pgqueue_ready":
            self._on_ring(notice.payload.split(","))
        else:
            self._on_control(notice.payload)
