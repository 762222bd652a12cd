"""Operations over many tasks at once: redrive, cancel, delete."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg.rows import dict_row

from pgqueue.client.watch import Watch
from pgqueue.database.queries import query
from pgqueue.errors import NotFound, UsageError
from pgqueue.models.operation import Operation, Preview
from pgqueue.models.values import encode, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from datetime import timedelta

    import psycopg

    Connect = Callable[[], AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]]


class Operations:
    """``app.operations``: each runs on any supervisor, in throttled parts, whoever dies meanwhile.

    ``kind`` is ``redrive`` or ``delete`` of dead letters, or ``cancel`` of tasks that have not
    ended. A filter holds any of type, queue, from, to, ids, and fingerprint or status; or
    ``{"all": True}``.
    """

    def __init__(self, connect: Connect, listen_dsn: Callable[[], str]) -> None:
        self._connect = connect
        self._listen_dsn = listen_dsn

    async def start(
        self,
        kind: str,
        filter: Mapping[str, Any],
        *,
        per_second: float = 100,
        reason: str | None = None,
        requested_by: str | None = None,
    ) -> Operation:
        """Start an operation of at most ``per_second`` tasks a second, and give it."""
        rows = await self._rows(
            "begin_operation",
            kind=kind,
            filter=encode(dict(filter)).decode(),
            per_second=per_second,
            reason=reason,
            requested_by=requested_by,
        )
        return await self.get(rows[0]["id"])

    async def preview(self, kind: str, filter: Mapping[str, Any]) -> Preview:
        """Say what an operation would do; stores nothing."""
        rows = await self._rows("look_ahead", kind=kind, filter=encode(dict(filter)).decode())
        return Preview(**rows[0])

    async def get(self, id: str | UUID) -> Operation:
        """Give an operation as it stands; ``NotFound`` if there is none."""
        rows = await self._rows("get_operation", id=_uuid(id))
        if not rows:
            message = f"there is no operation {id}"
            raise NotFound(message)
        return _operation(rows[0])

    async def latest(self, *, limit: int = 50, before: str | UUID | None = None) -> list[Operation]:
        """Give the latest operations, or those before one."""
        rows = await self._rows(
            "find_operations", most=limit, before=None if before is None else _uuid(before)
        )
        return [_operation(row) for row in rows]

    async def cancel(self, id: str | UUID) -> Operation:
        """Stop an operation after the part that runs now; what is done stays done."""
        await self._rows("stop_operation", id=_uuid(id))
        return await self.get(id)

    async def wait(self, id: str | UUID, timeout: timedelta | float | None = None) -> Operation:
        """Give the operation once it has ended, or raise ``TimeoutError``: it goes on."""
        async with asyncio.timeout(seconds(timeout)), Watch(self._listen_dsn()) as watch:
            while True:
                operation = await self.get(id)
                if operation.state.final:
                    return operation
                await watch.changed(operation.id)

    async def _rows(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
        async with self._connect() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(query(name), parameters)
            return await cursor.fetchall()


def _operation(row: dict[str, Any]) -> Operation:
    return Operation(**{**row, "id": str(row["id"])})


def _uuid(value: str | UUID) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        message = f"{value!r} is no id of an operation"
        raise UsageError(message, hint="an id is a UUID, as start gave it") from error
