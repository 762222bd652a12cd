"""``PgQueue``: declares task types and is the client of the service."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import UUID

import psycopg
from psycopg.rows import dict_row, tuple_row

from pgqueue import telemetry
from pgqueue.client.batches import Batches, OpenBatch
from pgqueue.client.dead_letters import find
from pgqueue.client.declarations import Declarations
from pgqueue.client.operations import Operations
from pgqueue.client.queue_control import QueueControl
from pgqueue.client.schedules import Schedules
from pgqueue.client.watch import Watch
from pgqueue.client.webhooks import Webhooks
from pgqueue.database.gathering import Gatherer
from pgqueue.database.link import Database, translated
from pgqueue.database.queries import query
from pgqueue.errors import NotFound, PgQueueError, UsageError, missing_task
from pgqueue.models.batch import Batch
from pgqueue.models.dead_letter import DeadLetter
from pgqueue.models.explanation import Explanation
from pgqueue.models.task import Enqueued, NewTask, Status, Task, TaskId
from pgqueue.models.values import check_time, encode, parse_priority, seconds
from pgqueue.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from types import TracebackType

    Handler = TypeVar("Handler", bound=Callable[..., Any])

_CHUNK = 5_000


class PgQueue(Declarations, QueueControl):
    """Task types, and the way to the queue.

    Connects on first use with ``PGQUEUE_DATABASE_URL`` or the connection string given; use it as an
    async context manager, or ``close`` it, to give the connections back.
    """

    def __init__(
        self, database_url: str | None = None, *, settings: Settings | None = None
    ) -> None:
        super().__init__()
        self.settings = settings or Settings()
        self._url = database_url
        self._database: Database | None = None
        self._opening = asyncio.Lock()
        self._gatherer = Gatherer(self._store_gathered)

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
            cursor = connection.cursor(row_factory=tuple_row)
            await cursor.execute(query("explain_task"), {"id": _uuid(id)})
            row = await cursor.fetchone()
        if row is None:
            raise await self._missing(id)
        return Explanation.model_validate_json(row[0])

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

    async def _missing(self, id: str | UUID) -> NotFound:
        async with self._connection() as connection:
            cursor = await connection.execute(query("is_pruned"), {"id": _uuid(id)})
            row = await cursor.fetchone()
        return missing_task(id, pruned=row is not None and row[0])

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
