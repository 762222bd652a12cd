"""How connections to PostgreSQL are made, so that none of them is silent for long.

- One is made within 5 s, or not at all.
- A peer that is gone (a pulled cable, a dead host) is noticed within 15 s by TCP: by keepalives
  while nothing is asked, by unacknowledged data otherwise. The server is told to notice as soon, so
  that the locks of a client that is gone are not held for the two hours of its defaults.
- A peer that is there and does not answer (a stopped server, a stuck middlebox) is hung up on after
  ``answer_s``.
- Behind a transaction pooler each transaction may run in another session: nothing is kept in one.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import orjson
import psycopg
from psycopg.rows import tuple_row
from psycopg.types.json import set_json_loads

from pgqueue.database.queries import query

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = [
    "ANSWER_S",
    "Connection",
    "connection_arguments",
    "decode",
    "is_direct",
    "is_direct_sync",
]

ANSWER_S = 13.0

_BOUNDS = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 14_000,
}


def connection_arguments(application_name: str) -> dict[str, Any]:
    """Give the arguments that every connection of pgqueue is made with."""
    return {
        "autocommit": True,
        "application_name": application_name,
        "prepare_threshold": None,  # unless it is known that no pooler stands between
        **_BOUNDS,
    }


def decode(text: str | bytes) -> Any:
    """Give stored JSON as Python values; what no parser of numbers takes stays text.

    jsonb holds numbers of 131,072 digits: one such payload must not break the reading of others.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text if isinstance(text, str) else text.decode()


async def is_direct(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Say whether the session is the connection's own, and have it mind its client if so.

    A pooler cannot know the pid of a session that it has not chosen yet, so it makes up one.
    """
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(query("meet_session"), {"pid": connection.info.backend_pid})
    return (await cursor.fetchone() or (False,))[0] is True


def is_direct_sync(connection: psycopg.Connection[Any]) -> bool:
    """Do what ``is_direct`` does, for a connection of a thread."""
    cursor = connection.cursor(row_factory=tuple_row)
    cursor.execute(query("meet_session"), {"pid": connection.info.backend_pid})
    return (cursor.fetchone() or (False,))[0] is True


class Connection(psycopg.AsyncConnection[Any]):
    """A connection that waits ``answer_s`` for each answer, if that is set, and no longer.

    When the time is over it ends as if the other side had ended it: what was asked may be done.
    """

    answer_s: float | None = None
    pooled = False
    """Whether a pooler stands between, so that the session may be another's by the next call."""

    @classmethod
    async def made(
        cls,
        dsn: str,
        application_name: str,
        *,
        answer_s: float | None = ANSWER_S,
        prepares: bool = True,
    ) -> Self:
        """Connect, and make it ready; one that says everything once need not prepare it."""
        connection: Self = await cls.connect(dsn, **connection_arguments(application_name))
        try:
            await connection.make_ready(answer_s)
            if not prepares:
                connection.prepare_threshold = None
        except BaseException:
            await connection.close()
            raise
        return connection

    async def make_ready(self, answer_s: float | None) -> None:
        """Read JSON tolerantly, and prepare statements on first use unless a pooler forbids it."""
        self.answer_s = answer_s
        set_json_loads(decode, self)
        self.pooled = not await is_direct(self)
        if not self.pooled:
            self.prepare_threshold = 0

    async def wait(self, gen: Generator[Any, Any, Any], *args: Any, **options: Any) -> Any:
        """Wait for what is under way, as long as ``answer_s`` says."""
        if self.answer_s is None:
            return await super().wait(gen, *args, **options)
        end = asyncio.get_running_loop().call_later(self.answer_s, self._hang_up)
        try:
            return await super().wait(gen, *args, **options)
        finally:
            end.cancel()

    def _hang_up(self) -> None:
        # cancelling would wait for the same answer, and closing pulls the socket from under libpq
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self.fileno())) as raw,
        ):
            raw.shutdown(socket.SHUT_RDWR)
