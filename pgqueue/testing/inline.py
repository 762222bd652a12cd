"""Tasks that run as they are enqueued, in this process, without a database."""

from __future__ import annotations

import asyncio
import contextvars
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Unpack
from uuid import UUID, uuid4

import orjson

from pgqueue.client.enqueueing import task_rows
from pgqueue.errors import Conflict, NotFound, PayloadError, UsageError
from pgqueue.handlers import ending as endings
from pgqueue.handlers.context import Context
from pgqueue.handlers.outcomes import outcome_in
from pgqueue.models.tasks.status import LeaseId, Outcome, Status, TaskId
from pgqueue.models.tasks.task import (
    JUST_STORED,
    Enqueued,
    EnqueueOptions,
    NewTask,
    Progress,
    Task,
    UniqueOptions,
)
from pgqueue.models.values import encode
from pgqueue.testing.recorder import Recorder
from pgqueue.testing.sources import shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from pgqueue.client.app import PgQueue
    from pgqueue.handlers.ending import Ending
    from pgqueue.handlers.failure import Failure
    from pgqueue.handlers.task_type import TaskType

__all__ = ["Inline", "Run", "inline"]

_TRIES = 3
_SHADOWED = ("enqueue", "enqueue_unique", "enqueue_many", "get", "wait", "retry", "cancel")


@dataclass
class Run:
    """A task that ran inline, and all that its handler reported, over all its attempts."""

    id: TaskId
    type: str
    queue: str
    payload: Any
    max_attempts: int
    options: dict[str, Any]
    """Its other options, named as in SQL: priority, run_at, timeout_s, …"""
    status: Status = Status.QUEUED
    attempt: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    result: Any = None
    error: Failure | None = None
    """The error of the last attempt, as it would be stored: type, message, traceback."""
    exception: Exception | None = None
    """What the last attempt raised."""
    recorder: Recorder = field(default_factory=Recorder, repr=False)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def progress(self) -> list[tuple[float, str | None]]:
        """All progress reports, as (percent, message)."""
        return self.recorder.progress_calls

    @property
    def logs(self) -> list[tuple[str, str, dict[str, Any]]]:
        """All log lines, as (level, message, data)."""
        return self.recorder.logs

    @property
    def text(self) -> str:
        """All streamed text."""
        return "".join(self.recorder.text_pieces)

    @property
    def artifacts(self) -> dict[str, tuple[bytes, str]]:
        """All saved files, as (data, content type) by name."""
        return self.recorder.artifacts

    def as_task(self) -> Task:
        """Return the task as ``app.get`` would."""
        latest = self.progress[-1] if self.progress else None
        state = {
            "id": self.id,
            "type": self.type,
            "queue": self.queue,
            "status": self.status,
            "status_reason": self.error["message"] if self.error else None,
            "payload": self.payload,
            "result": self.result,
            "error": self.error,
            "attempt": self.attempt,
            "max_attempts": self.max_attempts,
            "progress": latest
            and Progress(percent=latest[0], message=latest[1], at=self.created_at),
            "created_at": self.created_at,
            "started_at": self.created_at,
            "finished_at": self.created_at if self.status.final else None,
        }
        return Task(**{**JUST_STORED, **self.options, **state})


class Inline:
    """What ran inline: ``runs``, in the order of enqueueing."""

    def __init__(self, app: PgQueue, *, raise_errors: bool) -> None:
        self.runs: list[Run] = []
        self._app = app
        self._raise_errors = raise_errors

    def __getitem__(self, id: str) -> Run:
        """Return the run of a task."""
        for run in self.runs:
            if run.id == str(id):
                return run
        raise NotFound(f"there is no task {id}")

    async def again(self, id: str) -> Run:
        """Run the next attempt of a retrying or snoozed task now."""
        run = self[id]
        if run.status not in (Status.RETRYING, Status.SCHEDULED):
            raise Conflict(
                f"task {id} is {run.status}",
                hint="only a retrying or snoozed task has another attempt",
            )
        await self._attempt(run)
        return run

    def tasks(self) -> list[Task]:
        """Return the tasks as ``app.get`` would."""
        return [run.as_task() for run in self.runs]

    # these replace the methods of the app

    async def enqueue(
        self,
        type: str,
        payload: Any = ...,
        *,
        connection: object = None,
        **options: Unpack[EnqueueOptions],
    ) -> TaskId:
        """Run a task."""
        (id,) = await self.enqueue_many([NewTask(type, payload, **options)], connection=connection)
        return id

    async def enqueue_unique(
        self,
        type: str,
        payload: Any = ...,
        *,
        dedup_key: str,
        connection: object = None,
        **options: Unpack[UniqueOptions],
    ) -> Enqueued:
        """Run a task; it ends before another can be enqueued, so its key is always free."""
        id = await self.enqueue(
            type, payload, dedup_key=dedup_key, connection=connection, **options
        )
        return Enqueued(id, deduplicated=False)

    async def enqueue_many(
        self, tasks: Iterable[NewTask | dict[str, Any]], *, connection: object = None
    ) -> list[TaskId]:
        """Run each task, in the given order; one that fails does not stop the others."""
        del connection  # there is no transaction to take part in
        rows = orjson.loads(encode(task_rows(tasks, self._app.types)))
        runs = [self._run(row) for row in rows]
        self.runs += runs
        for run in runs:
            await self._attempt(run)
        return [run.id for run in runs]

    async def get(self, id: str | UUID) -> Task:
        """Return a task as it is now."""
        return self[str(id)].as_task()

    async def wait(self, id: str | UUID, timeout: object = None) -> Task:
        """Return a task that has ended; ``TimeoutError`` for one that has not: it never will."""
        del timeout
        task = await self.get(id)
        if not task.status.final:
            raise TimeoutError(f"task {id} is {task.status}: run its next attempt with again()")
        return task

    async def retry(self, id: str | UUID) -> Status:
        """Run a task again; one that has ended gets as many attempts as it had at first."""
        run = self[str(id)]
        if run.status in (Status.FAILED, Status.CANCELLED):
            run.max_attempts += run.attempt
        elif run.status is not Status.RETRYING:
            raise Conflict(
                f"task {id} is {run.status}",
                hint="only a failed, cancelled or retrying task can be retried",
            )
        await self._attempt(run)
        return run.status

    async def cancel(self, id: str | UUID, reason: str | None = None) -> Status:
        """Cancel a task that waits for its next attempt."""
        run = self[str(id)]
        if not run.status.final:
            run.status = Status.CANCELLED
            run.error = {"type": "Cancelled", "message": reason or "cancelled before it started"}
        return run.status

    def _run(self, row: dict[str, Any]) -> Run:
        kind = self._kind(row.pop("type"))
        return Run(
            id=TaskId(str(uuid4())),
            type=kind.name,
            queue=row.pop("queue", kind.queue),
            payload=row.pop("payload"),
            max_attempts=row.pop("max_attempts", _TRIES),
            options=row,
        )

    def _kind(self, name: str) -> TaskType:
        if name not in self._app.types:
            known = ", ".join(sorted(self._app.types)) or "none"
            raise UsageError(
                f"the app has no handler for type {name!r}, so it cannot run inline",
                hint=f"its types are: {known}",
            )
        return self._app.types[name]

    async def _attempt(self, run: Run) -> None:
        kind = self._kind(run.type)
        run.attempt += 1
        run.status, run.exception = Status.ACTIVE, None
        ended = await self._execute(run, kind)
        run.outcomes.append(ended.outcome)
        self._settle(run, ended)
        if self._raise_errors and run.exception is not None:
            raise run.exception

    async def _execute(self, run: Run, kind: TaskType) -> Ending:
        limit = run.options.get("timeout_s") or kind.timeout_s
        try:
            payload = kind.decode(orjson.dumps(run.payload).decode())
            async with asyncio.timeout(limit) as within:
                value = await self._call(run, kind, payload)
            return endings.returned(value, kind)
        except PayloadError as error:
            run.exception = error
            return endings.refused(error)
        except Exception as error:  # noqa: BLE001  a handler may raise anything
            run.exception = error if outcome_in(error) is None else None
            ended = endings.raised(error, kind)
            if isinstance(error, TimeoutError) and within.expired():
                timed_out = endings.interrupted("timeout", limit, ended.error)
                return replace(timed_out, retry=ended.retry)
            return ended

    async def _call(self, run: Run, kind: TaskType, payload: Any) -> Any:
        context = Context(
            task_id=run.id,
            lease_id=LeaseId(len(run.outcomes) + 1),
            attempt=run.attempt,
            max_attempts=run.max_attempts,
            type=run.type,
            queue=run.queue,
            reporter=run.recorder,
            remembered=run.recorder.remembered,
            run_at=datetime.fromisoformat(at) if (at := run.options.get("run_at")) else None,
        )
        if kind.is_async:
            return await endings.awaited(await kind.call(context, payload))
        variables = contextvars.copy_context()
        value = await asyncio.to_thread(variables.run, kind.call, context, payload)
        return await endings.awaited(value, variables)

    def _settle(self, run: Run, ended: Ending) -> None:
        run.error = ended.error
        match ended.outcome:
            case Outcome.COMPLETED:
                run.status = Status.COMPLETED
                run.result = orjson.loads(ended.result or b"null")
            case Outcome.CANCELLED:
                run.status = Status.CANCELLED
            case Outcome.SNOOZED:
                run.status = Status.SCHEDULED
                run.attempt -= 1
            case _:
                final = ended.retry is False or run.attempt >= run.max_attempts
                run.status = Status.FAILED if final else Status.RETRYING


@asynccontextmanager
async def inline(app: PgQueue, *, raise_errors: bool = False) -> AsyncIterator[Inline]:
    """Run the tasks of an app as they are enqueued, in this process, without a database.

    ``app.enqueue`` returns when the first attempt has ended, whatever its ``run_at`` or ``delay``,
    and does not raise what the handler raised, as in production; with ``raise_errors`` it does.
    """
    stand_in = Inline(app, raise_errors=raise_errors)
    shadows = {name: getattr(stand_in, name) for name in _SHADOWED}
    before = {name: vars(app)[name] for name in _SHADOWED if name in vars(app)}
    vars(app).update(shadows)
    try:
        with shown(app, stand_in.tasks):
            yield stand_in
    finally:
        for name in _SHADOWED:
            del vars(app)[name]
        vars(app).update(before)
