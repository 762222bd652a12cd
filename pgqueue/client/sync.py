"""The same client for code without an event loop: a thin bridge, not a second copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from pgqueue.client.app import PgQueue
from pgqueue.client.sync_schedules import SyncSchedules
from pgqueue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta
    from types import EllipsisType, TracebackType
    from uuid import UUID

    from pgqueue.client.batches import OpenBatch
    from pgqueue.models.backoff import Backoff
    from pgqueue.models.batch import Batch
    from pgqueue.models.dead_letter import DeadLetter
    from pgqueue.models.explanation import Explanation
    from pgqueue.models.limit import Limit, Rate
    from pgqueue.models.queue import Queue
    from pgqueue.models.retention import Retention
    from pgqueue.models.task import Enqueued, NewTask, Status, Task, TaskId
    from pgqueue.settings import Settings

Answer = TypeVar("Answer")


class SyncClient:
    """``PgQueue``'s client for plain functions: a context manager, one for many threads.

    Its calls run on an event loop in a thread of its own and raise what ``PgQueue``'s do. To
    enqueue inside your own synchronous transaction, call ``select pgqueue.enqueue(…)`` on its
    connection.
    """

    def __init__(
        self, database_url: str | None = None, *, settings: Settings | None = None
    ) -> None:
        self._url = database_url
        self._settings = settings
        self._context: AbstractContextManager[BlockingPortal] | None = None
        self._portal: BlockingPortal | None = None
        self._app: PgQueue | None = None

    def __enter__(self) -> Self:
        """Start the loop and connect."""
        self._context = start_blocking_portal()
        self._portal = self._context.__enter__()
        try:
            self._app = self._portal.call(self._make)
            self._portal.call(self._app.__aenter__)
        except BaseException as error:
            context, self._context, self._portal = self._context, None, None
            context.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect and stop the loop."""
        assert self._portal is not None
        assert self._app is not None
        assert self._context is not None
        try:
            self._portal.call(self._app.close)
        finally:
            context, self._context, self._portal, self._app = self._context, None, None, None
            context.__exit__(kind, error, traceback)

    async def _make(self) -> PgQueue:
        return PgQueue(self._url, settings=self._settings)

    def enqueue(self, type: str, payload: Any = None, **options: Any) -> TaskId:
        """Do what ``PgQueue.enqueue`` does."""
        return self._call(lambda app: app.enqueue(type, payload, **options))

    def enqueue_unique(
        self, type: str, payload: Any = None, *, dedup_key: str, **options: Any
    ) -> Enqueued:
        """Do what ``PgQueue.enqueue_unique`` does."""
        return self._call(
            lambda app: app.enqueue_unique(type, payload, dedup_key=dedup_key, **options)
        )

    def enqueue_many(self, tasks: Iterable[NewTask | dict[str, Any]]) -> list[TaskId]:
        """Do what ``PgQueue.enqueue_many`` does."""
        return self._call(lambda app: app.enqueue_many(tasks))

    def get(self, id: str | UUID) -> Task:
        """Do what ``PgQueue.get`` does."""
        return self._call(lambda app: app.get(id))

    def explain(self, id: str | UUID) -> Explanation:
        """Do what ``PgQueue.explain`` does."""
        return self._call(lambda app: app.explain(id))

    def wait(self, id: str | UUID, timeout: timedelta | float | None = None) -> Task:
        """Do what ``PgQueue.wait`` does."""
        return self._call(lambda app: app.wait(id, timeout))

    def cancel(self, id: str | UUID, reason: str | None = None) -> Status:
        """Do what ``PgQueue.cancel`` does."""
        return self._call(lambda app: app.cancel(id, reason))

    def update(
        self,
        id: str | UUID,
        *,
        priority: int | str | None = None,
        run_at: datetime | None = None,
        delay: timedelta | float | None = None,
    ) -> Status:
        """Do what ``PgQueue.update`` does."""
        return self._call(lambda app: app.update(id, priority=priority, run_at=run_at, delay=delay))

    def retry(self, id: str | UUID) -> Status:
        """Do what ``PgQueue.retry`` does."""
        return self._call(lambda app: app.retry(id))

    def set_queue(
        self,
        name: str,
        *,
        max_attempts: int | EllipsisType | None = ...,
        retry: Backoff | EllipsisType | None = ...,
        ageing: timedelta | float | EllipsisType | None = ...,
        concurrency: int | EllipsisType | None = ...,
        rate: Rate | Sequence[Rate] | EllipsisType | None = ...,
        per_key: Limit | EllipsisType | None = ...,
        fairness: Mapping[str, int] | EllipsisType | None = ...,
        retention: Retention | EllipsisType | None = ...,
    ) -> None:
        """Do what ``PgQueue.set_queue`` does."""
        self._call(
            lambda app: app.set_queue(
                name,
                max_attempts=max_attempts,
                retry=retry,
                ageing=ageing,
                concurrency=concurrency,
                rate=rate,
                per_key=per_key,
                fairness=fairness,
                retention=retention,
            )
        )

    def set_limit(
        self,
        name: str,
        *,
        concurrency: int | EllipsisType | None = ...,
        rate: Rate | Sequence[Rate] | EllipsisType | None = ...,
    ) -> None:
        """Do what ``PgQueue.set_limit`` does."""
        self._call(lambda app: app.set_limit(name, concurrency=concurrency, rate=rate))

    def delete_limit(self, name: str) -> bool:
        """Do what ``PgQueue.delete_limit`` does."""
        return self._call(lambda app: app.delete_limit(name))

    def dead_letters(self, **options: Any) -> list[DeadLetter]:
        """Do what ``PgQueue.dead_letters`` does."""
        return self._call(lambda app: app.dead_letters(**options))

    def redrive(self, id: str | UUID) -> TaskId:
        """Do what ``PgQueue.redrive`` does."""
        return self._call(lambda app: app.redrive(id))

    @property
    def schedules(self) -> SyncSchedules:
        """What ``PgQueue.schedules`` is."""
        return SyncSchedules(self._call)

    def pause(self, queue: str, reason: str | None = None, *, by: str | None = None) -> None:
        """Do what ``PgQueue.pause`` does."""
        self._call(lambda app: app.pause(queue, reason, by=by))

    def drain(
        self,
        queue: str,
        reason: str | None = None,
        *,
        by: str | None = None,
        timeout: timedelta | float | None = None,
    ) -> Queue:
        """Do what ``PgQueue.drain`` does."""
        return self._call(lambda app: app.drain(queue, reason, by=by, timeout=timeout))

    def queue(self, name: str) -> Queue:
        """Do what ``PgQueue.queue`` does."""
        return self._call(lambda app: app.queue(name))

    def resume(self, queue: str) -> None:
        """Do what ``PgQueue.resume`` does."""
        self._call(lambda app: app.resume(queue))

    def batch(self, name: str, **options: Any) -> SyncBatch:
        """Do what ``PgQueue.batch`` does: ``with client.batch("name") as batch``."""
        return SyncBatch(self, name, options)

    def create_batch(
        self, name: str, tasks: Iterable[NewTask | dict[str, Any]] | None = None, **options: Any
    ) -> Batch:
        """Do what ``PgQueue.batches.create`` does."""
        return self._call(lambda app: app.batches.create(name, tasks, **options))

    def get_batch(self, id: str | UUID) -> Batch:
        """Do what ``PgQueue.get_batch`` does."""
        return self._call(lambda app: app.get_batch(id))

    def wait_for_batch(self, id: str | UUID, timeout: timedelta | float | None = None) -> Batch:
        """Do what ``PgQueue.batches.wait`` does."""
        return self._call(lambda app: app.batches.wait(id, timeout))

    def _call(self, call: Callable[[PgQueue], Coroutine[Any, Any, Answer]]) -> Answer:
        if self._portal is None or self._app is None:
            message = "the client is not open"
            raise UsageError(
                message, hint="use it as a context manager: with SyncClient(…) as client"
            )
        answer: Answer = self._portal.call(call, self._app)
        return answer


class SyncBatch:
    """What ``OpenBatch`` is, for plain functions."""

    def __init__(self, client: SyncClient, name: str, options: dict[str, Any]) -> None:
        self._client = client
        self._name = name
        self._options = options
        self._batch: OpenBatch | None = None

    def __enter__(self) -> Self:
        """Make it."""
        self._batch = self._client._call(self._make)  # noqa: SLF001  one unit, two classes
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it, or cancel it."""
        batch = self._opened()
        self._client._call(lambda _: batch.__aexit__(kind, error, traceback))  # noqa: SLF001

    @property
    def id(self) -> str:
        """Its id."""
        return self._opened().id

    def enqueue(self, type: str, payload: Any = None, **options: Any) -> TaskId:
        """Do what ``OpenBatch.enqueue`` does."""
        batch = self._opened()
        return self._client._call(  # noqa: SLF001
            lambda _: batch.enqueue(type, payload, **options)
        )

    def enqueue_many(self, tasks: Iterable[NewTask | dict[str, Any]]) -> list[TaskId]:
        """Do what ``OpenBatch.enqueue_many`` does."""
        batch = self._opened()
        return self._client._call(lambda _: batch.enqueue_many(tasks))  # noqa: SLF001

    def wait(self, timeout: timedelta | float | None = None) -> Batch:
        """Do what ``OpenBatch.wait`` does."""
        batch = self._opened()
        return self._client._call(lambda _: batch.wait(timeout))  # noqa: SLF001

    async def _make(self, app: PgQueue) -> OpenBatch:
        return await app.batch(self._name, **self._options).__aenter__()

    def _opened(self) -> OpenBatch:
        if self._batch is None:
            message = "the batch has not been made"
            raise UsageError(message, hint="use it as a context manager")
        return self._batch
