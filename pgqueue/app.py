"""``PgQueue``: declares task types and is the client of the service."""

from __future__ import annotations

import asyncio
import getpass
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import UUID

import psycopg
from psycopg.rows import dict_row, tuple_row

from pgqueue import explanations, queues, telemetry
from pgqueue.backoff import Backoff
from pgqueue.batches import Batch, Batches, OpenBatch
from pgqueue.database import Database, translated
from pgqueue.errors import NotFound, PgQueueError, UsageError, missing_task
from pgqueue.explanations import Explanation
from pgqueue.gathering import Gatherer
from pgqueue.handlers import Isolation, TaskType, parse_memory
from pgqueue.letters import DeadLetter, find
from pgqueue.operations import Operations
from pgqueue.queries import query
from pgqueue.queues import Queue
from pgqueue.rate import Limit, Rate, as_setting
from pgqueue.retention import Retention
from pgqueue.schedules import NewSchedule, Schedules
from pgqueue.settings import Settings
from pgqueue.task import (
    Enqueued,
    NewTask,
    Status,
    Task,
    TaskId,
    check_time,
    encode,
    parse_priority,
    seconds,
)
from pgqueue.watch import Watch
from pgqueue.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from types import EllipsisType, TracebackType

    Handler = TypeVar("Handler", bound=Callable[..., Any])

_CHUNK = 5_000


class PgQueue:
    """Task types, and the way to the queue.

    Connects on first use with ``PGQUEUE_DATABASE_URL`` or the connection string given; use it as an
    async context manager, or ``close`` it, to give the connections back.
    """

    def __init__(
        self, database_url: str | None = None, *, settings: Settings | None = None
    ) -> None:
        self.types: dict[str, TaskType] = {}
        self.declared: dict[str, NewSchedule] = {}
        self.settings = settings or Settings()
        self._url = database_url
        self._database: Database | None = None
        self._opening = asyncio.Lock()
        self._gatherer = Gatherer(self._store_gathered)

    def task(
        self,
        name: str,
        *,
        queue: str = "default",
        max_attempts: int | None = None,
        timeout: timedelta | float | None = None,
        backoff: Backoff | None = None,
        no_retry: tuple[type[BaseException], ...] = (),
        isolation: Isolation | None = None,
        memory_limit: int | str | None = None,
        queue_settings: dict[str, Any] | None = None,
        description: str | None = None,
    ) -> Callable[[Handler], Handler]:
        """Declare a type by its handler: ``async def handler(ctx, payload)`` or a plain function.

        The payload's annotation is its schema. ``timeout`` is in seconds or a ``timedelta``.
        ``max_attempts`` and ``backoff`` hold unless a task brings its own; left out, they are the
        queue's, and without those 3 attempts and ``Backoff()``. Exceptions of ``no_retry`` end the
        task at once. With ``isolation="process"`` the handler runs in a process of its own, which a
        timeout or a cancel kills if need be, and which may use at most ``memory_limit``: bytes, or
        such as "512MB". ``queue_settings`` are what the queue begins with where there is none yet,
        such as ``{"concurrency": 5}``; what people have set since is left alone.
        """

        def declare(handler: Handler) -> Handler:
            if name in self.types and self.types[name].handler is not handler:
                message = f"type {name!r} is declared twice"
                raise UsageError(message, hint="give each type one handler")
            self.types[name] = TaskType(
                name=name,
                handler=handler,
                queue=queue,
                max_attempts=max_attempts,
                timeout_s=seconds(timeout),
                backoff=backoff,
                no_retry=no_retry,
                isolation=isolation,
                memory_limit=parse_memory(memory_limit),
                queue_settings=queue_settings,
                description=description or (handler.__doc__ or "").strip().split("\n")[0],
            )
            return handler

        return declare

    def schedule(self, name: str, type: str, payload: Any = None, **options: Any) -> None:
        """Declare a schedule; workers that start see to it that it is there as declared.

        ``options`` are those of ``NewSchedule``: ``cron`` or ``run_at``, timezone, queue, and more.
        One that is no longer declared is paused. Raises ``UsageError`` for what cannot be right.
        """
        declared = NewSchedule(type, payload, **options)
        declared.as_settings()
        if self.declared.setdefault(name, declared) != declared:
            message = f"schedule {name!r} is declared twice"
            raise UsageError(message, hint="give each schedule a name of its own")

    def include(self, other: PgQueue) -> None:
        """Take over what another app declares; a name declared in both is a ``UsageError``."""
        for name, declared in other.declared.items():
            if self.declared.setdefault(name, declared) != declared:
                message = f"schedule {name!r} is declared twice"
                raise UsageError(message, hint="give each schedule a name of its own")
        for name, kind in other.types.items():
            if name in self.types and self.types[name].handler is not kind.handler:
                message = f"type {name!r} is declared twice"
                raise UsageError(message, hint="give each type one handler")
            self.types[name] = kind

    async def __aenter__(self) -> Self:
        """Open the connections."""
        await self._open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections; the next call opens them again."""
        await self._gatherer.drained()
        if self._database is not None:
            await self._database.close()
            self._database = None

    async def enqueue(
        self,
        type: str,
        payload: Any = None,
        *,
        connection: psycopg.AsyncConnection[Any] | None = None,
        **options: Any,
    ) -> TaskId:
        """Enqueue a task and give its id; once this returns, it survives any crash.

        ``options`` are those of ``NewTask``: queue, priority, run_at, delay, max_attempts, timeout,
        retry, expires_at, expires_in, limit_key, cost, fairness_key, depends_on, batch_id,
        callback_url, dedup_key and what goes with it. With a ``dedup_key`` the id may be another
        task's, and ``Duplicate`` is raised where ``on_conflict`` is "reject".
        With ``connection`` it happens inside the caller's transaction, and only if that commits.
        Calls that are made while others are on their way to the database share a commit.
        """
        task = NewTask(type, payload, **options)
        if connection is not None:
            (id,) = await self.enqueue_many([task], connection=connection)
            return id
        (row,) = self._rows([task])
        if "dedup_key" in row:  # what waits for a key shares its commit with nobody
            (one,) = await self._store_unique([row], None)
            return one.id
        if "depends_on" in row:  # nor does what waits for others
            (id,) = await self.enqueue_many([task])
            return id
        return await self._gatherer.add(encode(row))

    async def enqueue_unique(
        self,
        type: str,
        payload: Any = None,
        *,
        dedup_key: str,
        connection: psycopg.AsyncConnection[Any] | None = None,
        **options: Any,
    ) -> Enqueued:
        """Enqueue a task unless another one has its key, and say which: ``(id, deduplicated)``.

        Otherwise like ``enqueue``. Others that use the key wait until this is committed.
        """
        rows = self._rows([NewTask(type, payload, dedup_key=dedup_key, **options)])
        (one,) = await self._store_unique(rows, connection)
        return one

    async def enqueue_many(
        self,
        tasks: Iterable[NewTask | dict[str, Any]],
        *,
        connection: psycopg.AsyncConnection[Any] | None = None,
    ) -> list[TaskId]:
        """Enqueue many tasks, all or none, and give their ids in the same order."""
        rows = self._rows(tasks)
        if not rows:
            return []
        if any("dedup_key" in row for row in rows):
            return [one.id for one in await self._store_unique(rows, connection)]
        if connection is not None:
            with translated():
                ids, _ = await self._store(connection, "enqueue_and_ring", rows)
            return ids
        async with self._connection() as own:
            async with own.transaction():
                ids, queues = await self._store(own, "enqueue_tasks", rows)
            await own.execute(query("ring"), {"queues": sorted(queues)})
        return ids

    async def get(self, id: str | UUID) -> Task:
        """Give a task as it stands; ``NotFound`` if there is none, ``TaskPruned`` if it was."""
        async with self._connection() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(query("get_task"), {"id": _uuid(id)})
            row = await cursor.fetchone()
        if row is None:
            raise await self._missing(id)
        return Task(**{**row, "id": str(row["id"])})

    async def explain(self, id: str | UUID) -> Explanation:
        """Say why a task is where it is, and when it may start; ``NotFound`` if there is none."""
        async with self._connection() as connection:
            told = await explanations.read(connection, _uuid(id))
        if told is None:
            raise await self._missing(id)
        return told

    async def wait(self, id: str | UUID, timeout: timedelta | float | None = None) -> Task:
        """Give the task once it has ended, or raise ``TimeoutError``: the task goes on."""
        wanted = _uuid(id)
        async with asyncio.timeout(seconds(timeout)), Watch(self._listen_dsn()) as watch:
            while True:
                task = await self.get(wanted)
                if task.status.final:
                    return task
                await watch.changed(str(wanted))

    async def cancel(self, id: str | UUID, reason: str | None = None) -> Status:
        """Cancel a task that waits, ask one that runs to stop, and give its status."""
        async with self._connection() as connection:
            cursor = await connection.execute(
                query("cancel_task"), {"id": _uuid(id), "reason": reason}
            )
            row = await cursor.fetchone()
        if row is None or row[0] is None:
            raise await self._missing(id)
        return Status(row[0])

    async def update(
        self,
        id: str | UUID,
        *,
        priority: int | str | None = None,
        run_at: datetime | None = None,
        delay: timedelta | float | None = None,
    ) -> Status:
        """Change the priority or the time of a task that waits, and give its status.

        ``delay=0`` runs it now. Raises ``Conflict`` when it does not wait any more.
        """
        check_time(run_at)
        changes = {
            "priority": parse_priority(priority),
            "run_at": run_at,
            "delay_s": seconds(delay),
            "if_match": None,
        }
        async with self._connection() as connection:
            cursor = await connection.execute(query("update_task"), {"id": _uuid(id), **changes})
            row = await cursor.fetchone()
        if row is None or row[0] is None:
            raise await self._missing(id)
        return Status(row[0])

    async def retry(self, id: str | UUID) -> Status:
        """Run a failed or cancelled task again; ``Conflict`` for one in another status."""
        async with self._connection() as connection:
            cursor = await connection.execute(query("retry_task"), {"id": _uuid(id)})
            row = await cursor.fetchone()
        if row is None or row[0] is None:
            raise await self._missing(id)
        return Status(row[0])

    async def set_queue(
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

        What is left out stays; ``None`` takes a setting away. Types and tasks that say otherwise
        come first. ``ageing`` (in seconds or a ``timedelta``): how long a task waits for each step
        of priority that it gains. ``concurrency`` and ``rate`` hold over all workers; ``per_key``
        is what each ``limit_key`` is allowed that has no limit of its name: see ``set_limit``.
        With ``fairness`` keys take turns, each with one task, or as many as the mapping says.
        """
        policy = retry.as_policy() if isinstance(retry, Backoff) else retry
        ageing_s = ageing if ageing is ... else seconds(ageing)
        given = {
            "max_attempts": max_attempts,
            "retry": policy,
            "ageing_s": ageing_s,
            "concurrency": concurrency,
            "rate": rate if rate is None or rate is ... else as_setting(rate),
            "per_key": per_key.as_setting() if isinstance(per_key, Limit) else per_key,
            "fairness": fairness
            if fairness is None or fairness is ...
            else {"weights": {**fairness}},
            "retention": retention.as_setting() if isinstance(retention, Retention) else retention,
        }
        await self._patch_queue(name, {key: v for key, v in given.items() if v is not ...})

    async def queue(self, name: str) -> Queue:
        """Give a queue as it stands; ``NotFound`` if there is none."""
        async with self._connection() as connection:
            return await queues.read(connection, name)

    async def pause(self, queue: str, reason: str | None = None, *, by: str | None = None) -> None:
        """Let no task of a queue start until ``resume``; those that run go on."""
        who = {"name": queue, "reason": reason, "paused_by": by or getpass.getuser()}
        async with self._connection() as connection:
            await connection.execute(query("pause_queue"), who)

    async def drain(
        self,
        queue: str,
        reason: str | None = None,
        *,
        by: str | None = None,
        timeout: timedelta | float | None = None,
    ) -> Queue:
        """Pause a queue and give it once none of its tasks runs any more.

        ``TimeoutError`` when some still run after ``timeout``: it stays paused, and drains.
        """
        await self.pause(queue, reason, by=by)
        async with asyncio.timeout(seconds(timeout)):
            return await queues.come_to_rest(lambda: self.queue(queue))

    async def resume(self, queue: str) -> None:
        """Let the tasks of a paused queue start again; ``NotFound`` if there is no such queue."""
        async with self._connection() as connection:
            await connection.execute(query("resume_queue"), {"name": queue})

    async def set_limit(
        self,
        name: str,
        *,
        concurrency: int | EllipsisType | None = ...,
        rate: Rate | Sequence[Rate] | EllipsisType | None = ...,
    ) -> None:
        """Limit all tasks with this ``limit_key``, over all queues and workers.

        It takes the place of what their queues allow each key. What is left out stays; ``None``
        takes a part away: with neither the key has no limit at all.
        """
        given = {
            "concurrency": concurrency,
            "rate": rate if rate is None or rate is ... else as_setting(rate),
        }
        settings = encode({key: v for key, v in given.items() if v is not ...}).decode()
        async with self._connection() as connection:
            await connection.execute(
                query("patch_limit"), {"name": name, "settings": settings, "versions": None}
            )

    async def delete_limit(self, name: str) -> bool:
        """Limit a key by what its queues allow each key, again; False if it had no limit."""
        async with self._connection() as connection:
            cursor = await connection.execute(
                query("delete_limit"), {"name": name, "versions": None}
            )
            row = await cursor.fetchone()
        return row is not None and bool(row[0])

    async def _missing(self, id: str | UUID) -> NotFound:
        async with self._connection() as connection:
            cursor = await connection.execute(query("is_pruned"), {"id": _uuid(id)})
            row = await cursor.fetchone()
        return missing_task(id, pruned=row is not None and row[0])

    async def _patch_queue(self, name: str, settings: dict[str, Any]) -> None:
        async with self._connection() as connection:
            await connection.execute(
                query("patch_queue"),
                {"name": name, "settings": encode(settings).decode(), "versions": None},
            )

    async def dead_letters(
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
        """Give tasks that failed for good, latest first; ``before``: the last one of a page."""
        wanted = {"type": type, "queue": queue, "fingerprint": fingerprint, "from": from_, "to": to}
        async with self._connection() as connection:
            return await find(connection, wanted, limit, before)

    async def redrive(self, id: str | UUID) -> TaskId:
        """Run a dead letter's task again and give its id: a new one where its day is gone."""
        async with self._connection() as connection:
            cursor = await connection.execute(query("redrive_task"), {"id": _uuid(id)})
            row = await cursor.fetchone()
        if row is None or row[0] is None:
            message = f"there is no dead letter {id}"
            raise NotFound(message, hint="it was run again, deleted or pruned")
        return TaskId(row[0])

    @property
    def operations(self) -> Operations:
        """Redrive, cancel or delete many tasks at once."""
        return Operations(self._connection, self._listen_dsn)

    @property
    def webhooks(self) -> Webhooks:
        """Tell others of what happens, by HTTP."""
        return Webhooks(self._connection)

    @property
    def schedules(self) -> Schedules:
        """Make, read and change schedules."""
        return Schedules(self._connection)

    @property
    def batches(self) -> Batches:
        """Tasks that belong together."""
        return Batches(self._connection, self._listen_dsn, self._rows)

    def batch(self, name: str, **options: Any) -> OpenBatch:
        """Make a batch to fill: ``async with app.batch("name") as batch``, closed at the end.

        ``options`` are those of ``Batches.create``: metadata, on_success, on_failure, on_complete,
        parent, callback_url, and tasks to begin with.
        """
        return OpenBatch(self.batches, name, options)

    async def get_batch(self, id: str | UUID) -> Batch:
        """Give a batch as it stands; ``NotFound`` if there is none."""
        return await self.batches.get(id)

    def _rows(self, tasks: Iterable[NewTask | dict[str, Any]]) -> list[dict[str, Any]]:
        traceparent = telemetry.current_traceparent()
        rows = []
        for item in tasks:
            task = item if isinstance(item, NewTask) else NewTask(**item)
            kind = self.types.get(task.type)
            row = task.as_row(traceparent)
            if kind is not None:
                row.setdefault("queue", kind.queue)
                if kind.max_attempts is not None:
                    row.setdefault("max_attempts", kind.max_attempts)
                if kind.payload is not None:
                    kind.decode(encode(row["payload"]).decode())
            rows.append(row)
        return rows

    async def _store_gathered(self, elements: list[bytes]) -> list[TaskId]:
        """Store what single calls gave, and ring in the same transaction: one at a time does so."""
        tasks = (b"[" + b",".join(elements) + b"]").decode()
        async with self._connection() as connection:
            cursor = connection.cursor(row_factory=tuple_row)
            await cursor.execute(query("enqueue_and_ring"), {"tasks": tasks})
            stored = await cursor.fetchone()
        assert stored is not None  # a function call gives a row
        ids: list[TaskId] = stored[0]
        return ids

    async def _store_unique(
        self, rows: list[dict[str, Any]], connection: psycopg.AsyncConnection[Any] | None
    ) -> list[Enqueued]:
        """Store in one statement, whatever the number: it locks all keys in one order."""
        if connection is None:
            async with self._connection() as own:
                return await self._store_unique(rows, own)
        cursor = connection.cursor(row_factory=tuple_row)
        with translated():
            tasks = {"tasks": encode(rows).decode()}
            await cursor.execute(query("enqueue_unique_and_ring"), tasks)
            stored = await cursor.fetchone()
        assert stored is not None  # a function call gives a row
        return [
            Enqueued(id, deduplicated=verdict != "stored")
            for id, verdict in zip(stored[0], stored[1], strict=True)
        ]

    async def _store(
        self, connection: psycopg.AsyncConnection[Any], name: str, rows: list[dict[str, Any]]
    ) -> tuple[list[TaskId], set[str]]:
        ids: list[TaskId] = []
        queues: set[str] = set()
        # those that name each other by place stay together
        chunk = len(rows) if any("depends_on" in row for row in rows) else _CHUNK
        for start in range(0, len(rows), chunk):
            tasks = encode(rows[start : start + chunk]).decode()
            cursor = connection.cursor(row_factory=tuple_row)  # the caller's own may give dicts
            await cursor.execute(query(name), {"tasks": tasks})
            stored = await cursor.fetchone()
            assert stored is not None  # a function call gives a row
            ids.extend(stored[0])
            queues.update(stored[1] or ())
        return ids, queues

    def _dsn(self) -> str:
        return self._url or self.settings.dsn()

    def _listen_dsn(self) -> str:
        return self.settings.listen_url or self._dsn()

    async def _open(self) -> Database:
        async with self._opening:
            if self._database is None:
                database = Database(self._dsn(), application_name="pgqueue client")
                try:
                    await database.open()
                except PgQueueError:
                    await database.close()
                    raise
                self._database = database
            return self._database

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        database = self._database or await self._open()
        async with database.connection() as connection:
            yield connection


def _uuid(value: str | UUID) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        message = f"{value!r} is no task id"
        raise UsageError(message, hint="an id is a UUID, as enqueue gave it") from error
