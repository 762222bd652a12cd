"""What the parts of a client share: its connections, and named queries on them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from pgqueue.client.loops import PerLoop
from pgqueue.client.watch import Watch
from pgqueue.database.pool import Pool
from pgqueue.errors import DatabaseUnavailable, UsageError
from pgqueue.models.values import encode, seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from datetime import timedelta

    import psycopg

    from pgqueue.settings import Settings

__all__ = [
    "Calls",
    "Part",
    "Row",
    "as_uuid",
    "as_uuid_or_none",
    "given",
    "page_size",
    "with_text_ids",
]

Row = dict[str, Any]
Answer = TypeVar("Answer")


class Calls:
    """Runs named queries on connections that are opened on first use, for each event loop."""

    def __init__(self, database_url: str | None, settings: Settings) -> None:
        self._url = database_url
        self._settings = settings
        self._pools = PerLoop(lambda: Pool.patient(self.dsn, "pgqueue client"), Pool.abandon)

    @property
    def dsn(self) -> str:
        """The connection string: the one given, else that of the settings."""
        return self._url or self._settings.dsn()

    @property
    def listen_dsn(self) -> str:
        """The connection string to listen on, which must not lead to a transaction pooler."""
        return self._settings.listen_url or self.dsn

    async def open(self) -> None:
        """Connect, or raise ``DatabaseUnavailable``. A call does so by itself."""
        await self._pools.get().open()

    async def close(self) -> None:
        """Close the connections of this event loop; the next call opens them again."""
        pool = self._pools.pop()
        if pool is not None:
            await pool.close()

    def abandon(self) -> None:
        """Drop the connections where the event loops that could close them are gone."""
        self._pools.drop()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """Lend a connection in autocommit mode."""
        async with self._pools.get().connection() as connection:
            yield connection

    async def rows(self, name: str, /, **parameters: object) -> list[Row]:
        """Run a named query and return its rows."""
        return await self._pools.get().rows(name, parameters)

    async def row(self, name: str, /, **parameters: object) -> Row | None:
        """Run a named query and return its first row, if any."""
        return await self._pools.get().row(name, parameters)

    async def value(self, name: str, /, **parameters: object) -> Any:
        """Run a named query and return the first column of its first row, ``None`` without one."""
        row = await self.row(name, **parameters)
        return None if row is None else next(iter(row.values()))

    async def until(
        self,
        id: UUID,
        read: Callable[[], Awaitable[Answer]],
        ended: Callable[[Answer], bool],
        timeout: timedelta | float | None,
    ) -> Answer:
        """Return what ``read`` returns once it has ended, or raise ``TimeoutError``.

        It is read again whenever a notification names ``id``, and once a second anyway. Once it
        listens, a connection that breaks is made again until the time is up: nothing is written.
        """
        async with asyncio.timeout(seconds(timeout, "timeout")), Watch(self.listen_dsn) as watch:
            while True:
                try:
                    answer = await read()
                except DatabaseUnavailable as error:
                    await watch.missed(error)
                else:
                    if ended(answer):
                        return answer
                await watch.changed(str(id))


class Part:
    """A part of a client: the calls that are about one noun."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls


def as_uuid(value: str | UUID, noun: str) -> UUID:
    """Return an id as a UUID, or raise ``UsageError``."""
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        raise UsageError(
            f"{value!r} is not the id of a {noun}", hint="an id is a UUID, as pgqueue returned it"
        ) from error


def page_size(limit: int, name: str = "limit") -> int:
    """Return how many are asked for, or raise ``UsageError``."""
    given: object = limit
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise UsageError(f"{name} cannot be {given!r}", hint="it is a whole number, at least 1")
    return limit


def as_uuid_or_none(value: str | UUID | None, noun: str) -> UUID | None:
    """Return an id as a UUID, and ``None`` as it is."""
    return None if value is None else as_uuid(value, noun)


def with_text_ids(row: Row) -> Row:
    """Return a row with its UUIDs as text, as models hold them."""
    return {name: str(one) if isinstance(one, UUID) else one for name, one in row.items()}


def given(**settings: object) -> str:
    """Return those settings that a caller gave, as JSON: what is ``...`` was left out."""
    return encode({name: one for name, one in settings.items() if one is not ...}).decode()
