"""How every connection to PostgreSQL is made, and what it knows about its server.

- Connecting takes at most 5 s for each host of the connection string.
- TCP notices within 15 s that the peer is gone (a pulled cable, a dead host): by keepalives while
  the connection is idle, by unacknowledged data otherwise. The server is told to use the same
  times, so that the locks of a client that is gone are not held for two hours, its default.
- When the peer is there but does not answer (a stopped server, a stuck middlebox), the connection
  is shut down after ``answer_s``.
- Settings of the role, the database or the environment that change what SQL means or stores do not
  apply to it: see the query ``meet_session``. Behind a pooler only the encoding is pinned.
- A forked process cannot reach its parent's sessions: their sockets are replaced in it, so that
  nothing it does, its end included, is taken for the parent's.
- Behind a transaction pooler each transaction may run in another session. So nothing is kept in a
  session, and no statements are prepared.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar

import orjson
import psycopg
from psycopg.rows import tuple_row
from psycopg.types.json import set_json_loads

from pgqueue.addresses import check_address, redact
from pgqueue.database.queries import query
from pgqueue.errors import NotConnectedError, translate

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = [
    "ANSWER_S",
    "Connection",
    "connected",
    "connection_arguments",
    "decode",
    "fetched",
    "is_direct",
    "is_direct_sync",
    "is_outdated",
    "is_silent",
    "leave_to_parent",
    "takes_writes",
    "translated",
]

ANSWER_S = 13.0

_TCP_LIMITS = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 14_000,
}

AnyRow = TypeVar("AnyRow")

_made: weakref.WeakSet[Connection] = weakref.WeakSet()


def leave_to_parent() -> None:
    """Replace the sockets of the parent's sessions in a process that was just forked from it.

    It happens by itself, but must come before anything that drops these connections.
    """
    inherited = [connection for connection in _made if not connection.closed]
    _made.clear()
    if not inherited:
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    for connection in inherited:
        os.dup2(nothing, connection.fileno(), inheritable=False)
        connection.inherited = True
    os.close(nothing)


os.register_at_fork(after_in_child=leave_to_parent)


def connection_arguments(application_name: str) -> dict[str, Any]:
    """Return the arguments that every connection of pgqueue is made with."""
    return {
        "autocommit": True,
        "client_encoding": "UTF8",  # whatever the role, the environment or the address says
        "application_name": application_name,
        "prepare_threshold": None,  # until it is known that there is no pooler
        **_TCP_LIMITS,
    }


def decode(text: str | bytes) -> Any:
    """Return stored JSON as Python values; JSON that no parser takes stays text.

    jsonb holds numbers of 131,072 digits: one such payload must not break the reading of others.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text if isinstance(text, str) else text.decode()


async def is_direct(connection: psycopg.AsyncConnection[Any], *, ours: bool = False) -> bool:
    """Return whether the session is the connection's own; if so, set the server's TCP limits.

    In one that runs ``ours`` alone, set also what changes the meaning of SQL.
    A pooler cannot know the pid of a session that it has not chosen yet, so it makes up one.
    """
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(query("meet_session"), {"pid": connection.info.backend_pid, "ours": ours})
    return (await cursor.fetchone() or (False,))[0] is True


def is_direct_sync(connection: psycopg.Connection[Any], *, ours: bool = False) -> bool:
    """Do what ``is_direct`` does, for a connection of a thread."""
    cursor = connection.cursor(row_factory=tuple_row)
    cursor.execute(query("meet_session"), {"pid": connection.info.backend_pid, "ours": ours})
    return (cursor.fetchone() or (False,))[0] is True


@contextmanager
def connected(dsn: str, application_name: str) -> Iterator[psycopg.Connection[Any]]:
    """Lend a synchronous connection of a command's, and raise errors of ``pgqueue.errors``."""
    check_address(dsn)
    with translated():
        try:
            connection = psycopg.connect(dsn, **connection_arguments(application_name))
        except psycopg.Error as error:
            redact(error, dsn)
            raise NotConnectedError(*error.args) from error
        with connection:
            is_direct_sync(connection, ours=True)
            yield connection


def is_silent(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Return whether an idle connection is open and the server has sent nothing on it.

    Unsolicited data means that the server is closing the connection, unless it listens.
    """
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


def takes_writes(connection: psycopg.BaseConnection[Any]) -> bool:
    """Return whether the server takes writes, as it reported with its last answer.

    A standby does not, nor does a primary that was told to refuse them before another takes its
    place. Its answers are outdated, so its connections are closed even if nothing failed.
    """
    reported = connection.info.parameter_status
    return "on" not in (reported("in_hot_standby"), reported("default_transaction_read_only"))


def is_outdated(error: psycopg.Error) -> bool:
    """Return whether a migration changed the columns that a prepared statement reads."""
    return error.diag.source_function == "RevalidateCachedQuery"  # its message may be translated


@contextmanager
def translated() -> Iterator[None]:
    """Raise psycopg's errors as pgqueue's."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error) from error


async def fetched(cursor: psycopg.AsyncCursor[AnyRow]) -> list[AnyRow]:
    """Return all rows of a cursor; none where the statement returns none.

    It does not use ``description``, which creates an object for each column.
    """
    result = cursor.pgresult
    return await cursor.fetchall() if result is not None and result.nfields else []


class Connection(psycopg.AsyncConnection[Any]):
    """psycopg's connection, which waits at most ``answer_s`` for each answer, if that is set.

    After that it ends as if the server had closed it: what was asked may have been done.
    It does not connect again: a ``Link`` does.
    """

    answer_s: float | None = None
    pooled = False
    """Whether a pooler stands between, so that the next call may run in another session."""
    inherited = False
    """Whether it is that of the process that this one was forked from."""

    @classmethod
    async def made(
        cls,
        dsn: str,
        application_name: str,
        *,
        answer_s: float | None = ANSWER_S,
        prepares: bool = True,
    ) -> Self:
        """Connect and set up the session. ``prepares=False`` suits one that repeats nothing."""
        check_address(dsn)
        try:
            connection: Self = await cls.connect(dsn, **connection_arguments(application_name))
        except psycopg.Error as error:
            redact(error, dsn)
            raise NotConnectedError(*error.args) from error
        _made.add(connection)
        try:
            connection.answer_s = answer_s
            set_json_loads(decode, connection)
            connection.pooled = not await is_direct(connection, ours=True)
            if prepares and not connection.pooled:
                connection.prepare_threshold = 0
        except BaseException:
            await connection.close()
            raise
        return connection

    def __del__(self, *given: Any) -> None:
        """Warn when nobody closed it, unless the process that made it will."""
        if not self.inherited:
            super().__del__(*given)

    async def wait(self, gen: Generator[Any, Any, Any], *args: Any, **options: Any) -> Any:
        """Wait for an answer, at most ``answer_s``."""
        if self.answer_s is None:
            return await super().wait(gen, *args, **options)
        timer = asyncio.get_running_loop().call_later(self.answer_s, self._shut_down)
        try:
            return await super().wait(gen, *args, **options)
        finally:
            timer.cancel()

    def _shut_down(self) -> None:
        # cancelling would wait for the same answer; closing would pull the socket from under libpq
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self.fileno())) as raw,
        ):
            raw.shutdown(socket.SHUT_RDWR)
