"""Batches: tasks that belong together, counted as one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from psycopg.rows import dict_row

from pgqueue.client.watch import Watch
from pgqueue.database.queries import query
from pgqueue.errors import NotFound, UsageError
from pgqueue.models.batch import Batch
from pgqueue.models.task import NewTask
from pgqueue.models.values import encode, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager
    from datetime import timedelta
    from types import TracebackType

    import psycopg

    from pgqueue.models.task import TaskId

    Connect = Callable[[], AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]]
    Tasks = Iterable[NewTask | dict[str, Any]]
    Rows = Callable[[Tasks], list[dict[str, Any]]]

__all__ = ["Batches", "OpenBatch"]


class Batches:
    """``app.batches``: makes, reads, fills, closes, cancels and retries batches."""

    def __init__(self, connect: Connect, listen_dsn: Callable[[], str], rows: Rows) -> None:
        self._connect = connect
        self._listen_dsn = listen_dsn
        self._rows_of = rows

    async def create(
        self,
        name: str,
        tasks: Tasks | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        on_success: NewTask | dict[str, Any] | None = None,
        on_failure: NewTask | dict[str, Any] | None = None,
        on_complete: NewTask | dict[str, Any] | None = None,
        parent: str | UUID | None = None,
        open: bool | None = None,
        callback_url: str | None = None,
    ) -> Batch:
        """Make a batch of these tasks and give it: closed, unless it is to stay ``open``.

        Without tasks it is open. When all in it has ended, ``on_complete`` is enqueued, and
        ``on_success`` if everything completed, else ``on_failure``: each once at most, and
        ``callback_url`` is told by a signed POST. With ``parent`` it is part of another batch,
        which must be open.
        """
        rows = await self._query(
            "create_batch",
            name=name,
            tasks=None if tasks is None else encode(self._rows_of(tasks)).decode(),
            metadata=encode(dict(metadata or {})).decode(),
            on_success=self._callback(on_success),
            on_failure=self._callback(on_failure),
            on_complete=self._callback(on_complete),
            parent_id=None if parent is None else _uuid(parent),
            open=open,
            callback_url=callback_url,
        )
        return await self.get(rows[0]["id"])

    async def get(self, id: str | UUID) -> Batch:
        """Give a batch as it stands; ``NotFound`` if there is none."""
        rows = await self._query("get_batch", id=_uuid(id))
        if not rows:
            message = f"there is no batch {id}"
            raise NotFound(message)
        return _batch(rows[0])

    async def latest(self, *, limit: int = 50, before: str | UUID | None = None) -> list[Batch]:
        """Give the latest batches, or those before one."""
        place = None if before is None else _uuid(before)
        return [_batch(row) for row in await self._query("find_batches", most=limit, before=place)]

    async def add(self, id: str | UUID, tasks: Tasks) -> list[TaskId]:
        """Enqueue tasks as part of an open batch, all or none, and give their ids in order."""
        added = encode(self._rows_of(tasks)).decode()
        rows = await self._query("add_to_batch", id=_uuid(id), tasks=added)
        ids: list[TaskId] = rows[0]["ids"]
        return ids

    async def close(self, id: str | UUID) -> Batch:
        """Have nothing more added to a batch: it ends when all that is in it has."""
        await self._query("close_batch", id=_uuid(id))
        return await self.get(id)

    async def cancel(self, id: str | UUID, reason: str | None = None) -> str:
        """Cancel all of a batch that has not ended, and give the id of the operation doing it."""
        return await self._operation(id, "cancel_batch", reason=reason)

    async def retry(self, id: str | UUID) -> str:
        """Run all of a batch that failed again, and give the id of the operation that does it."""
        return await self._operation(id, "retry_batch")

    async def wait(self, id: str | UUID, timeout: timedelta | float | None = None) -> Batch:
        """Give the batch once it has ended, or raise ``TimeoutError``: it goes on."""
        async with asyncio.timeout(seconds(timeout)), Watch(self._listen_dsn()) as watch:
            while True:
                batch = await self.get(id)
                if batch.status.final:
                    return batch
                await watch.changed(batch.id)

    async def _operation(self, id: str | UUID, name: str, **more: Any) -> str:
        rows = await self._query(name, id=_uuid(id), requested_by=None, **more)
        operation = rows[0]["id"]
        if operation is None:
            message = f"there is no batch {id}"
            raise NotFound(message)
        return str(operation)

    def _callback(self, task: NewTask | dict[str, Any] | None) -> str | None:
        if task is None:
            return None
        new = task if isinstance(task, NewTask) else NewTask(**task)
        row = new.as_row()
        if new.payload is None:
            del row["payload"]  # it gets the batch's
            return encode(row).decode()
        (row,) = self._rows_of([new])
        return encode(row).decode()

    async def _query(self, asked: str, /, **parameters: Any) -> list[dict[str, Any]]:
        async with self._connect() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(query(asked), parameters)
            return await cursor.fetchall()


class OpenBatch:
    """``app.batch(…)``: a batch to fill, made on entry and closed at the end of the block.

    A block that raises cancels it: what was added and has not ended is cancelled.
    """

    def __init__(self, batches: Batches, name: str, options: dict[str, Any]) -> None:
        self._batches = batches
        self._name = name
        self._options = options
        self._id: str | None = None

    async def __aenter__(self) -> Self:
        """Make it."""
        self._id = (await self._batches.create(self._name, **self._options, open=True)).id
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it, or cancel it."""
        if error is None:
            await self._batches.close(self.id)
        else:
            await self._batches.cancel(self.id, "the block that filled it was left by an error")

    @property
    def id(self) -> str:
        """Its id."""
        if self._id is None:
            message = "the batch has not been made"
            raise UsageError(message, hint="use it as a context manager: async with app.batch(…)")
        return self._id

    async def enqueue(self, type: str, payload: Any = None, **options: Any) -> TaskId:
        """Enqueue a task as part of it, with the options of ``NewTask``, and give its id."""
        (id,) = await self.enqueue_many([NewTask(type, payload, **options)])
        return id

    async def enqueue_many(self, tasks: Tasks) -> list[TaskId]:
        """Enqueue tasks as part of it, all or none, and give their ids in order."""
        return await self._batches.add(self.id, tasks)

    async def get(self) -> Batch:
        """Give it as it stands."""
        return await self._batches.get(self.id)

    async def wait(self, timeout: timedelta | float | None = None) -> Batch:
        """Give it once it has ended: call this after the block, which closes it."""
        return await self._batches.wait(self.id, timeout)


def _batch(row: dict[str, Any]) -> Batch:
    return Batch(**{k: str(v) if isinstance(v, UUID) else v for k, v in row.items()})


def _uuid(value: str | UUID) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        message = f"{value!r} is no id of a batch"
        raise UsageError(message, hint="an id is a UUID, as create gave it") from error
