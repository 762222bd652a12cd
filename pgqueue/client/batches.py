"""Batches: tasks that belong together, counted as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, Unpack

from pgqueue.client.calls import Part, as_uuid, as_uuid_or_none, page_size, with_text_ids
from pgqueue.client.enqueueing import task_rows
from pgqueue.errors import NotFound, UsageError
from pgqueue.models.batch import Batch
from pgqueue.models.tasks.task import EnqueueOptions, NewTask
from pgqueue.models.values import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta
    from types import TracebackType
    from uuid import UUID

    from pgqueue.client.calls import Calls
    from pgqueue.handlers.task_type import TaskType
    from pgqueue.models.tasks.status import TaskId

__all__ = ["Batches", "OpenBatch"]


class Batches(Part):
    """``app.batches``: makes, reads, fills, closes, cancels and retries batches."""

    def __init__(self, calls: Calls, types: Mapping[str, TaskType]) -> None:
        super().__init__(calls)
        self._types = types

    async def create(
        self,
        name: str,
        tasks: Iterable[NewTask | dict[str, Any]] | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        on_success: NewTask | dict[str, Any] | None = None,
        on_failure: NewTask | dict[str, Any] | None = None,
        on_complete: NewTask | dict[str, Any] | None = None,
        parent: str | UUID | None = None,
        open: bool | None = None,
        callback_url: str | None = None,
    ) -> Batch:
        """Make a batch of these tasks and return it: closed, unless it is to stay ``open``.

        Without tasks it is open. When all in it has ended, ``on_complete`` is enqueued, and
        ``on_success`` if everything completed, else ``on_failure``: each at most once, and
        ``callback_url`` is told by a signed POST. With ``parent`` it is part of another batch,
        which must be open.
        """
        id = await self._calls.value(
            "create_batch",
            name=name,
            tasks=None if tasks is None else encode(task_rows(tasks, self._types)).decode(),
            metadata=encode(dict(metadata or {})).decode(),
            on_success=self._callback(on_success),
            on_failure=self._callback(on_failure),
            on_complete=self._callback(on_complete),
            parent_id=as_uuid_or_none(parent, "batch"),
            open=open,
            callback_url=callback_url,
            user_id=0,
        )
        return await self.get(id)

    async def get(self, id: str | UUID) -> Batch:
        """Return a batch as it is now; ``NotFound`` if there is none."""
        row = await self._calls.row("get_batch", id=as_uuid(id, "batch"))
        if row is None:
            raise NotFound(f"there is no batch {id}")
        return Batch(**with_text_ids(row))

    async def latest(self, *, limit: int = 50, before: str | UUID | None = None) -> list[Batch]:
        """Return the latest batches, or those before one."""
        place = as_uuid_or_none(before, "batch")
        rows = await self._calls.rows("find_batches", max_rows=page_size(limit), before=place)
        return [Batch(**with_text_ids(row)) for row in rows]

    async def add(self, id: str | UUID, tasks: Iterable[NewTask | dict[str, Any]]) -> list[TaskId]:
        """Enqueue tasks as part of an open batch, all or none, and return their ids in order."""
        added = encode(task_rows(tasks, self._types)).decode()
        ids: list[TaskId] = await self._calls.value(
            "add_to_batch", id=as_uuid(id, "batch"), tasks=added
        )
        return ids

    async def close(self, id: str | UUID) -> Batch:
        """Let nothing more be added to a batch: it ends when all tasks in it have ended."""
        await self._calls.rows("close_batch", id=as_uuid(id, "batch"))
        return await self.get(id)

    async def cancel(self, id: str | UUID, reason: str | None = None) -> str:
        """Cancel all of a batch that has not ended; return the id of the operation that does it."""
        return await self._operation(id, "cancel_batch", reason=reason)

    async def retry(self, id: str | UUID) -> str:
        """Run all of a batch that failed again; return the id of the operation that does it."""
        return await self._operation(id, "retry_batch")

    async def wait(self, id: str | UUID, timeout: timedelta | float | None = None) -> Batch:
        """Return the batch once it has ended, or raise ``TimeoutError``: it goes on."""
        wanted = as_uuid(id, "batch")
        return await self._calls.until(
            wanted, lambda: self.get(wanted), lambda batch: batch.status.final, timeout
        )

    async def _operation(self, id: str | UUID, name: str, **more: object) -> str:
        wanted = as_uuid(id, "batch")
        operation = await self._calls.value(name, id=wanted, requested_by=None, **more)
        if operation is None:
            raise NotFound(f"there is no batch {id}")
        return str(operation)

    def _callback(self, task: NewTask | dict[str, Any] | None) -> str | None:
        if task is None:
            return None
        new = task if isinstance(task, NewTask) else NewTask(**task)
        if new.payload is ...:
            row = new.as_row()
            del row["payload"]  # it gets the batch's
        else:
            (row,) = task_rows([new], self._types)
        return encode(row).decode()


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
        """Make the batch."""
        self._id = (await self._batches.create(self._name, **self._options, open=True)).id
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the batch, or cancel it after an error."""
        if error is None:
            await self._batches.close(self.id)
        else:
            await self._batches.cancel(self.id, "the block that filled it was left by an error")

    @property
    def id(self) -> str:
        """The id of the batch; ``UsageError`` before the block is entered."""
        if self._id is None:
            raise UsageError(
                "the batch has not been made",
                hint="enter its block first: `async with`, or `with` a SyncClient",
            )
        return self._id

    async def enqueue(
        self, type: str, payload: Any = ..., **options: Unpack[EnqueueOptions]
    ) -> TaskId:
        """Enqueue a task as part of it, with the options of ``EnqueueOptions``; return its id."""
        (id,) = await self.enqueue_many([NewTask(type, payload, **options)])
        return id

    async def enqueue_many(self, tasks: Iterable[NewTask | dict[str, Any]]) -> list[TaskId]:
        """Enqueue tasks as part of it, all or none, and return their ids in order."""
        return await self._batches.add(self.id, tasks)

    async def get(self) -> Batch:
        """Return the batch as it is now."""
        return await self._batches.get(self.id)

    async def wait(self, timeout: timedelta | float | None = None) -> Batch:
        """Return the batch once it has ended: call this after the block, which closes it."""
        return await self._batches.wait(self.id, timeout)
