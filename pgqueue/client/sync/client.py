"""Written from ``pgqueue.client.app`` by ``make sync-client``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import EllipsisType
from typing import Any, Unpack
from uuid import UUID

import psycopg

from pgqueue.client.lent import lent_to_sync
from pgqueue.client.sync.batches import SyncBatches, SyncOpenBatch
from pgqueue.client.sync.bridge import BridgedClient
from pgqueue.client.sync.operations import SyncOperations
from pgqueue.client.sync.schedules import SyncSchedules
from pgqueue.client.sync.webhooks import SyncWebhooks
from pgqueue.models.batch import Batch
from pgqueue.models.dead_letter import DeadLetter
from pgqueue.models.queues.limit import Limit, Rate
from pgqueue.models.queues.queue import Queue
from pgqueue.models.queues.retention import Retention
from pgqueue.models.tasks.backoff import Backoff
from pgqueue.models.tasks.explanation import Explanation
from pgqueue.models.tasks.status import Status, TaskId
from pgqueue.models.tasks.task import Enqueued, EnqueueOptions, NewTask, Task, UniqueOptions

__all__ = ["SyncClient"]


class SyncClient(BridgedClient):
    """``PgQueue``'s client for plain functions; one serves many threads.

    Connects on first use with ``PGQUEUE_DATABASE_URL`` or the connection string given; use it as a
    context manager, or call ``close``, to close the connections. Its calls run on an event loop
    in a thread of its own and raise what ``PgQueue``'s raise. ``connection`` is your own
    ``psycopg.Connection``: the task is then enqueued inside its transaction, and only if that
    commits.
    """

    def enqueue(
        self,
        type: str,
        payload: Any = ...,
        *,
        connection: psycopg.Connection[Any] | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> TaskId:
        """Enqueue a task and return its id; once this returns, it survives any crash.

        ``payload`` is JSON, or a value of the type that its handler takes; ``{}`` if it is left
        out. ``options`` are those of ``EnqueueOptions``. With a ``dedup_key`` the id may be that of
        another task; ``Duplicate`` is raised if ``on_conflict`` is "reject".
        With ``connection`` the task is enqueued in the caller's transaction, and only if that
        commits. Calls made while another is on its way to the database share the next commit.
        """
        return self._bridge.run(
            self._twin.enqueue(type, payload, connection=lent_to_sync(connection), **options),
            connection,
        )

    def enqueue_unique(
        self,
        type: str,
        payload: Any = ...,
        *,
        dedup_key: str,
        connection: psycopg.Connection[Any] | None = None,
        **options: Unpack[UniqueOptions],
    ) -> Enqueued:
        """Enqueue a task unless another one has its key; return ``(id, deduplicated)``.

        Otherwise like ``enqueue``. Other calls with the same key wait until this is committed.
        """
        return self._bridge.run(
            self._twin.enqueue_unique(
                type, payload, dedup_key=dedup_key, connection=lent_to_sync(connection), **options
            ),
            connection,
        )

    def enqueue_many(
        self,
        tasks: Iterable[NewTask | dict[str, Any]],
        *,
        connection: psycopg.Connection[Any] | None = None,
    ) -> list[TaskId]:
        """Enqueue many tasks, all or none, and return their ids in the same order."""
        return self._bridge.run(
            self._twin.enqueue_many([*tasks], connection=lent_to_sync(connection)), connection
        )

    def get(self, id: str | UUID) -> Task:
        """Return a task as it is now; ``NotFound`` if there is none, ``TaskPruned`` if it was."""
        return self._bridge.run(self._twin.get(id))

    def explain(self, id: str | UUID) -> Explanation:
        """Return why a task is where it is and when it may start; ``NotFound`` if there is none."""
        return self._bridge.run(self._twin.explain(id))

    def wait(self, id: str | UUID, timeout: timedelta | float | None = None) -> Task:
        """Return the task once it has ended, or raise ``TimeoutError``: the task goes on."""
        return self._bridge.run(self._twin.wait(id, timeout))

    def cancel(self, id: str | UUID, reason: str | None = None) -> Status:
        """Cancel a waiting task, or ask a running one to stop, and return its status."""
        return self._bridge.run(self._twin.cancel(id, reason))

    def update(
        self,
        id: str | UUID,
        *,
        priority: int | str | None = None,
        run_at: datetime | None = None,
        delay: timedelta | float | None = None,
    ) -> Status:
        """Change the priority or the time of a waiting task, and return its status.

        ``delay=0`` runs it now. Raises ``Conflict`` when the task no longer waits.
        """
        return self._bridge.run(
            self._twin.update(id, priority=priority, run_at=run_at, delay=delay)
        )

    def retry(self, id: str | UUID) -> Status:
        """Run a failed or cancelled task again; ``Conflict`` for one in another status."""
        return self._bridge.run(self._twin.retry(id))

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
        """Set what is given of a queue's settings, making the queue if there is none.

        What is left out stays; ``None`` removes a setting. Types and tasks that say otherwise take
        precedence. ``ageing`` (in seconds or a ``timedelta``): how long a task waits for each step
        of priority that it gains. ``concurrency`` and ``rate`` hold over all workers; ``per_key``
        is what each ``limit_key`` is allowed that has no limit of its name: see ``set_limit``.
        With ``fairness`` keys take turns, each with one task, or as many as the mapping says.
        """
        self._bridge.run(
            self._twin.set_queue(
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

    def queue(self, name: str) -> Queue:
        """Return a queue as it is now; ``NotFound`` if there is none."""
        return self._bridge.run(self._twin.queue(name))

    def pause(self, queue: str, reason: str | None = None, *, by: str | None = None) -> None:
        """Start no more tasks of a queue until ``resume``; those that run go on."""
        self._bridge.run(self._twin.pause(queue, reason, by=by))

    def drain(
        self,
        queue: str,
        reason: str | None = None,
        *,
        by: str | None = None,
        timeout: timedelta | float | None = None,
    ) -> Queue:
        """Pause a queue and return it once none of its tasks runs, or once someone resumed it.

        ``TimeoutError`` when some still run after ``timeout``: it stays paused, and drains.
        """
        return self._bridge.run(self._twin.drain(queue, reason, by=by, timeout=timeout))

    def resume(self, queue: str) -> None:
        """Start the tasks of a paused queue again; ``NotFound`` if there is no such queue."""
        self._bridge.run(self._twin.resume(queue))

    def set_limit(
        self,
        name: str,
        *,
        concurrency: int | EllipsisType | None = ...,
        rate: Rate | Sequence[Rate] | EllipsisType | None = ...,
    ) -> None:
        """Limit all tasks with this ``limit_key``, over all queues and workers.

        It replaces what their queues allow each key. What is left out stays; ``None`` removes a
        part: with neither the key has no limit at all.
        """
        self._bridge.run(self._twin.set_limit(name, concurrency=concurrency, rate=rate))

    def delete_limit(self, name: str) -> bool:
        """Limit a key by what its queues allow each key, again; False if it had no limit."""
        return self._bridge.run(self._twin.delete_limit(name))

    def dead_letters(
        self,
        *,
        type: str | None = None,
        queue: str | None = None,
        fingerprint: str | None = None,
        from_: datetime | None = None,
        to: datetime | None = None,
        limit: int = 100,
        before: DeadLetter | None = None,
    ) -> list[DeadLetter]:
        """Return tasks that failed for good, latest first; ``before``: the last one of a page."""
        return self._bridge.run(
            self._twin.dead_letters(
                type=type,
                queue=queue,
                fingerprint=fingerprint,
                from_=from_,
                to=to,
                limit=limit,
                before=before,
            )
        )

    def redrive(self, id: str | UUID) -> TaskId:
        """Run a dead letter's task again and return its id: a new one where its day is gone."""
        return self._bridge.run(self._twin.redrive(id))

    @property
    def operations(self) -> SyncOperations:
        """Redrive, cancel or delete many tasks at once."""
        return SyncOperations(self._twin.operations, self._bridge)

    @property
    def webhooks(self) -> SyncWebhooks:
        """Send events to URLs by signed HTTP requests."""
        return SyncWebhooks(self._twin.webhooks, self._bridge)

    @property
    def schedules(self) -> SyncSchedules:
        """Make, read and change schedules."""
        return SyncSchedules(self._twin.schedules, self._bridge)

    @property
    def batches(self) -> SyncBatches:
        """Make, read and change batches: tasks that belong together."""
        return SyncBatches(self._twin.batches, self._bridge)

    def batch(self, name: str, **options: Any) -> SyncOpenBatch:
        """Return a batch to fill: ``with client.batch("name") as batch``, closed at the end.

        ``options`` are those of ``Batches.create``: metadata, on_success, on_failure, on_complete,
        parent, callback_url, and tasks to begin with.
        """
        return SyncOpenBatch(self._twin.batch(name, **options), self._bridge)

    def get_batch(self, id: str | UUID) -> Batch:
        """Return a batch as it is now; ``NotFound`` if there is none."""
        return self._bridge.run(self._twin.get_batch(id))
