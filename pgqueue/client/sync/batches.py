"""Written from ``pgqueue.client.batches`` by ``make sync-client``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, Unpack
from uuid import UUID

from pgqueue.client.batches import Batches, OpenBatch
from pgqueue.client.sync.bridge import Bridged
from pgqueue.models.batch import Batch
from pgqueue.models.tasks.status import TaskId
from pgqueue.models.tasks.task import EnqueueOptions, NewTask

__all__ = ["SyncBatches", "SyncOpenBatch"]


class SyncBatches(Bridged[Batches]):
    """``client.batches``: makes, reads, fills, closes, cancels and retries batches."""

    def create(
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
        return self._bridge.run(
            self._twin.create(
                name,
                None if tasks is None else [*tasks],
                metadata=metadata,
                on_success=on_success,
                on_failure=on_failure,
                on_complete=on_complete,
                parent=parent,
                open=open,
                callback_url=callback_url,
            )
        )

    def get(self, id: str | UUID) -> Batch:
        """Return a batch as it is now; ``NotFound`` if there is none."""
        return self._bridge.run(self._twin.get(id))

    def latest(self, *, limit: int = 50, before: str | UUID | None = None) -> list[Batch]:
        """Return the latest batches, or those before one."""
        return self._bridge.run(self._twin.latest(limit=limit, before=before))

    def add(self, id: str | UUID, tasks: Iterable[NewTask | dict[str, Any]]) -> list[TaskId]:
        """Enqueue tasks as part of an open batch, all or none, and return their ids in order."""
        return self._bridge.run(self._twin.add(id, [*tasks]))

    def close(self, id: str | UUID) -> Batch:
        """Let nothing more be added to a batch: it ends when all tasks in it have ended."""
        return self._bridge.run(self._twin.close(id))

    def cancel(self, id: str | UUID, reason: str | None = None) -> str:
        """Cancel all of a batch that has not ended; return the id of the operation that does it."""
        return self._bridge.run(self._twin.cancel(id, reason))

    def retry(self, id: str | UUID) -> str:
        """Run all of a batch that failed again; return the id of the operation that does it."""
        return self._bridge.run(self._twin.retry(id))

    def wait(self, id: str | UUID, timeout: timedelta | float | None = None) -> Batch:
        """Return the batch once it has ended, or raise ``TimeoutError``: it goes on."""
        return self._bridge.run(self._twin.wait(id, timeout))


class SyncOpenBatch(Bridged[OpenBatch]):
    """``client.batch(…)``: a batch to fill, made on entry and closed at the end of the block.

    A block that raises cancels it: what was added and has not ended is cancelled.
    """

    def __enter__(self) -> Self:
        """Make the batch."""
        self._bridge.run(self._twin.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the batch, or cancel it after an error."""
        self._bridge.run(self._twin.__aexit__(kind, error, traceback))

    @property
    def id(self) -> str:
        """The id of the batch; ``UsageError`` before the block is entered."""
        return self._twin.id

    def enqueue(self, type: str, payload: Any = ..., **options: Unpack[EnqueueOptions]) -> TaskId:
        """Enqueue a task as part of it, with the options of ``EnqueueOptions``; return its id."""
        return self._bridge.run(self._twin.enqueue(type, payload, **options))

    def enqueue_many(self, tasks: Iterable[NewTask | dict[str, Any]]) -> list[TaskId]:
        """Enqueue tasks as part of it, all or none, and return their ids in order."""
        return self._bridge.run(self._twin.enqueue_many([*tasks]))

    def get(self) -> Batch:
        """Return the batch as it is now."""
        return self._bridge.run(self._twin.get())

    def wait(self, timeout: timedelta | float | None = None) -> Batch:
        """Return the batch once it has ended: call this after the block, which closes it."""
        return self._bridge.run(self._twin.wait(timeout))
