"""``Listener``: a connection that listens, made again when it breaks or hears nothing.

A live connection does not prove that notifications arrive: behind a transaction pooler LISTEN
belongs to another client by the next statement. So the listener has its own name notified through
another connection, at once and every eight seconds, and counts as listening only once it has heard
that echo. Whatever took notifications away, they are back within 15 s.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import psycopg

from pgqueue import logs
from pgqueue.database.connection import Connection
from pgqueue.database.queries import query
from pgqueue.errors import PgQueueError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Listener"]

_ECHO_S = 8
_ECHO_WAIT_S = 3
_UNCONNECTED = "the listener is not connected"
_DEAF = "the listener hears nothing; it needs a direct connection to PostgreSQL: PGQUEUE_LISTEN_URL"

# not for secrecy; and not the module's own state, which belongs to whoever seeds it, such as a test
_SPREAD = random.Random()  # noqa: S311

_log = logs.get_logger("pgqueue.listener")


class _HearsNothingError(Exception):
    pass


class Listener:
    """Hears the channels that the query ``listen`` names, ``pgqueue_control`` among them.

    - It connects again after 0.2 to 1.5 s, at random, so that many listeners do not come at once.
    - ``name`` must differ from that of every other listener. ``echo`` sends it as a notification
      on ``pgqueue_control``, over another connection, which must reach the server that takes
      writes: a listener on a standby hears no echo and connects anew.
    - While it listens, only the echo tells whether the server is there: a wait has no limit.
    - ``hear`` receives each channel and payload. ``on_connect`` is called when notifications may
      have been missed; ``on_change`` when it is known whether they arrive.
    """

    def __init__(
        self,
        dsn: str,
        name: str,
        *,
        application_name: str,
        listen: str,
        echo: Callable[[str], Awaitable[Any]],
        hear: Callable[[str, str], None],
        on_connect: Callable[[], None],
        on_change: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._dsn = dsn
        self._name = name
        self._application_name = application_name
        self._statement = listen
        self._echo = echo
        self._hear = hear
        self._on_connect = on_connect
        self._on_change = on_change
        self._heard = asyncio.Event()
        self._failed = False
        self.deaf: str | None = _UNCONNECTED
        """Why notifications cannot arrive; None if they do."""

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            reason = _UNCONNECTED
            try:
                await self._listen()
            except* _HearsNothingError:
                reason = _DEAF
                _log.warning("listener_deaf", said=reason)
            except* (psycopg.Error, PgQueueError, OSError) as errors:
                if not self._failed:  # the first of its failures in a row
                    event = "listener_lost" if self.deaf is None else "listener_not_connected"
                    _log.warning(event, error=str(errors.exceptions[0]).strip())
                self._failed = True
            self._note(reason)
            await asyncio.sleep(_SPREAD.uniform(0.2, 1.5))

    async def _listen(self) -> None:
        made = Connection.made(self._dsn, self._application_name, answer_s=_ECHO_S, prepares=False)
        async with await made as connection:
            await connection.execute(query(self._statement))
            connection.answer_s = None  # from here on the echo proves that it lives
            self._on_connect()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(connection))
                group.create_task(self._prove())

    async def _read(self, connection: psycopg.AsyncConnection[Any]) -> None:
        async for notice in connection.notifies():
            if notice.payload == self._name:
                self._heard.set()
            else:
                self._hear(notice.channel, notice.payload)

    async def _prove(self) -> None:
        while True:
            self._heard.clear()
            try:
                await self._echo(self._name)
            except PgQueueError as error:
                _log.debug("echo_not_sent", error=str(error))
            else:
                try:
                    async with asyncio.timeout(_ECHO_WAIT_S):
                        await self._heard.wait()
                except TimeoutError:
                    raise _HearsNothingError from None
                self._note(None)
            await asyncio.sleep(_ECHO_S * _SPREAD.uniform(0.9, 1.1))

    def _note(self, deaf: str | None) -> None:
        self.deaf = deaf
        self._failed = self._failed and deaf is not None
        self._on_change(deaf is None)
