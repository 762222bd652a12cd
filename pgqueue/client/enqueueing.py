"""Enqueueing: one task, many, or one unless another has its key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Unpack

from pgqueue import telemetry
from pgqueue.client.calls import Part, Row
from pgqueue.client.lent import lent
from pgqueue.client.loops import PerLoop
from pgqueue.database.connection import translated
from pgqueue.database.gathering import Gatherer
from pgqueue.database.queries import query
from pgqueue.models.tasks.status import TaskId
from pgqueue.models.tasks.task import Enqueued, EnqueueOptions, NewTask, UniqueOptions
from pgqueue.models.values import encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

    from pgqueue.client.calls import Calls
    from pgqueue.client.lent import Lent
    from pgqueue.handlers.task_type import TaskType

__all__ = ["Enqueueing", "task_rows"]

_CHUNK = 5_000


class Enqueueing(Part):
    """The part of a client that enqueues tasks, as their declared types say."""

    def __init__(self, calls: Calls, types: Mapping[str, TaskType]) -> None:
        super().__init__(calls)
        self._types = types
        self._gatherers = PerLoop(lambda: Gatherer(self._store_gathered))

    async def enqueue(
        self,
        type: str,
        payload: Any = ...,
        *,
        connection: psycopg.AsyncConnection[Any] | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> TaskId:
        """Enqueue a task and return its id; once this returns, it survives any crash.

        ``payload`` is JSON, or a value of the type that its handler takes; ``{}`` if it is left
        out. ``options`` are those of ``EnqueueOptions``. With a ``dedup_key`` the id may be that of
        another task; ``Duplicate`` is raised if ``on_conflict`` is "reject".
        With ``connection`` the task is enqueued in the caller's transaction, and only if that
        commits. Calls made while another is on its way to the database share the next commit.
        """
        task = NewTask(type, payload, **options)
        if connection is not None:
            (id,) = await self.enqueue_many([task], connection=connection)
            return id
        (row,) = task_rows([task], self._types)
        if "dedup_key" in row:  # it may wait for a key, so it commits alone
            (one,) = await self._store_unique([row], None)
            return one.id
        if "depends_on" in row:  # so does a task that waits for others
            (id,) = await self.enqueue_many([task])
            return id
        return await self._gatherers.get().add(encode(row))

    async def enqueue_unique(
        self,
        type: str,
        payload: Any = ...,
        *,
        dedup_key: str,
        connection: psycopg.AsyncConnection[Any] | None = None,
        **options: Unpack[UniqueOptions],
    ) -> Enqueued:
        """Enqueue a task unless another one has its key; return ``(id, deduplicated)``.

        Otherwise like ``enqueue``. Other calls with the same key wait until this is committed.
        """
        task = NewTask(type, payload, dedup_key=dedup_key, **options)
        (one,) = await self._store_unique(task_rows([task], self._types), connection)
        return one

    async def enqueue_many(
        self,
        tasks: Iterable[NewTask | dict[str, Any]],
        *,
        connection: psycopg.AsyncConnection[Any] | None = None,
    ) -> list[TaskId]:
        """Enqueue many tasks, all or none, and return their ids in the same order."""
        rows = task_rows(tasks, self._types)
        if not rows:
            return []
        if any("dedup_key" in row for row in rows):
            return [one.id for one in await self._store_unique(rows, connection)]
        if connection is not None:
            with translated():
                ids, _ = await _store(lent(connection), "enqueue_and_ring", rows)
            return ids
        async with self._calls.connection() as own:
            async with own.transaction():
                ids, queues = await _store(lent(own), "enqueue_tasks", rows)
            await own.execute(query("ring"), {"queues": sorted(queues)})
        return ids

    async def _store_gathered(self, elements: list[bytes]) -> list[TaskId]:
        """Store what single calls gathered, and notify workers in the same transaction.

        Only one of these runs at a time, so notifying inside it holds up no other commit.
        """
        tasks = (b"[" + b",".join(elements) + b"]").decode()
        ids: list[TaskId] = await self._calls.value("enqueue_and_ring", tasks=tasks)
        return ids

    async def _store_unique(
        self, rows: list[Row], connection: psycopg.AsyncConnection[Any] | None
    ) -> list[Enqueued]:
        """Store any number in one statement, which locks all keys in one order."""
        if connection is None:
            async with self._calls.connection() as own:
                return await self._store_unique(rows, own)
        with translated():
            stored = await _stored(lent(connection), "enqueue_unique_and_ring", rows)
        return [
            Enqueued(id, deduplicated=verdict != "stored")
            for id, verdict in zip(stored["ids"], stored["verdicts"], strict=True)
        ]


def task_rows(
    tasks: Iterable[NewTask | dict[str, Any]], types: Mapping[str, TaskType]
) -> list[Row]:
    """Return tasks as ``pgqueue.enqueue_many`` takes them, with what their types say.

    Raises ``UsageError`` for invalid options, ``PayloadError`` for a payload that its type refuses.
    """
    traceparent = telemetry.current_traceparent()
    rows = []
    for item in tasks:
        task = item if isinstance(item, NewTask) else NewTask(**item)
        kind = types.get(task.type)
        row = task.as_row(traceparent)
        if kind is not None:
            row["payload"] = kind.prepare(row["payload"])
            row.setdefault("queue", kind.queue)
            if kind.max_attempts is not None:
                row.setdefault("max_attempts", kind.max_attempts)
        rows.append(row)
    return rows


async def _store(connection: Lent, name: str, rows: list[Row]) -> tuple[list[TaskId], set[str]]:
    # tasks that refer to each other by position stay in one call
    chunk = len(rows) if any("depends_on" in row for row in rows) else _CHUNK
    if len(rows) <= chunk:
        stored = await _stored(connection, name, rows)
        return stored["ids"], {*(stored["queues"] or ())}
    ids: list[TaskId] = []
    queues: set[str] = set()
    async with connection.transaction():
        for start in range(0, len(rows), chunk):
            stored = await _stored(connection, name, rows[start : start + chunk])
            ids.extend(stored["ids"])
            queues.update(stored["queues"] or ())
    return ids, queues


async def _stored(connection: Lent, name: str, rows: list[Row]) -> Row:
    return await connection.stored(name, encode(rows).decode())
