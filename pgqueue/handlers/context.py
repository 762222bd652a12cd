"""What a handler is given: who it is, and how it reports."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from pgqueue.errors import UsageError
from pgqueue.handlers.artifacts import Artifact, ArtifactFacts, ArtifactKey, TaskArtifact
from pgqueue.handlers.parents import read_parents
from pgqueue.handlers.steps import Steps, encode_bounded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping
    from concurrent.futures import Future
    from datetime import datetime
    from types import TracebackType
    from uuid import UUID

    import psycopg

    from pgqueue.models.task import LeaseId, TaskId

_MAX_MESSAGE = 8_192
_MAX_ARTIFACT = 16 * 1024 * 1024

_log = structlog.get_logger("pgqueue.task")


class Reporter(Protocol):
    """Where a context's reports go: the worker's, or a test's."""

    def progress(self, context: Context, percent: float, message: str | None) -> None:
        """Take the latest progress; an earlier one that was not sent yet is forgotten."""

    def event(self, context: Context, level: str, message: str, data: dict[str, Any]) -> None:
        """Take a log line."""

    def text(self, context: Context, text: str) -> None:
        """Take a piece of the text that the handler writes."""

    def save_artifact(
        self, context: Context, name: str, data: bytes, content_type: str
    ) -> Awaitable[None]:
        """Keep a file."""

    def save_checkpoint(self, context: Context, name: str, data: bytes) -> Awaitable[None]:
        """Remember data (JSON) under a name; in a thread it is durable when this returns."""

    def load_parents(self, context: Context) -> Any:
        """Give the parents as JSON texts: to be awaited, in a thread at once."""

    def transaction(self, context: Context) -> Transaction:
        """Give what ``Context.transaction`` gives."""

    def find_artifact(self, context: Context, key: ArtifactKey) -> Future[ArtifactFacts]:
        """Find a file, by what ``pgqueue.artifacts.key_of`` gives."""

    def read_artifact(self, context: Context, key: ArtifactKey, n: int) -> Future[bytes]:
        """Give the n-th MiB of a file."""


class Transaction(Protocol):
    """What ``Context.transaction`` gives: to be entered once, by ``async with`` or ``with``."""

    result: bytes | None
    """The result to record, as JSON."""

    @property
    def is_open(self) -> bool:
        """Whether it has been entered and has not ended."""

    async def __aenter__(self) -> psycopg.AsyncConnection[tuple[Any, ...]]: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None: ...

    def __enter__(self) -> psycopg.Connection[tuple[Any, ...]]: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None: ...


class Recorded:
    """What a report that needs no waiting returns: may be awaited, need not be."""

    __slots__ = ()

    def __await__(self) -> Generator[None]:
        return
        yield  # pragma: no cover  (makes this a generator)


RECORDED = Recorded()


class TaskLog:
    """Log lines of one attempt: kept with the task, streamed to watchers, and in the worker's log.

    At most 8 KiB a message; usable from any thread.
    """

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self._context = context

    def debug(self, message: str, **data: Any) -> None:
        """Log detail."""
        self._write("debug", message, data)

    def info(self, message: str, **data: Any) -> None:
        """Log what happens."""
        self._write("info", message, data)

    def warning(self, message: str, **data: Any) -> None:
        """Log what looks wrong."""
        self._write("warning", message, data)

    def error(self, message: str, **data: Any) -> None:
        """Log what went wrong."""
        self._write("error", message, data)

    def _write(self, level: str, message: str, data: dict[str, Any]) -> None:
        context = self._context
        text = str(message)[:_MAX_MESSAGE]
        context._reporter.event(context, level, text, data)  # noqa: SLF001  one unit, two classes
        getattr(_log, level)(
            "task_log",
            message=text,
            task_id=context.task_id,
            type=context.type,
            attempt=context.attempt,
            data=data or None,
        )


class Context:
    """One attempt, as its handler sees it.

    ``run_at`` is when the task was to run at the earliest: the due time of its schedule, or what it
    was enqueued with; ``None`` for at once. ``batch_id`` is the batch that it is part of, if any.
    """

    __slots__ = (
        "_remembered",
        "_reporter",
        "_steps",
        "_transaction",
        "attempt",
        "batch_id",
        "lease_id",
        "log",
        "max_attempts",
        "queue",
        "run_at",
        "task_id",
        "type",
    )

    def __init__(
        self,
        *,
        task_id: TaskId,
        lease_id: LeaseId,
        attempt: int,
        max_attempts: int,
        type: str,
        queue: str,
        reporter: Reporter,
        remembered: Mapping[str, str | bytes] | None = None,
        run_at: datetime | None = None,
        batch_id: str | None = None,
    ) -> None:
        self.task_id = task_id
        self.lease_id = lease_id
        self.attempt = attempt
        self.max_attempts = max_attempts
        self.type = type
        self.queue = queue
        self.run_at = run_at
        self.batch_id = batch_id
        self.log = TaskLog(self)
        self._reporter = reporter
        self._remembered = remembered
        self._steps: Steps | None = None
        self._transaction: Transaction | None = None

    def progress(self, percent: float, message: str | None = None) -> Recorded:
        """Report how far the attempt is, from 0 to 100, clamped; the latest wins.

        Recorded by the call itself, from any thread; awaiting it is optional. It is sent as soon as
        the one before it has been, so a handler may report as often as it likes.
        """
        if math.isnan(percent):
            unknown = "progress is not a number"
            raise UsageError(unknown, hint="give a percentage from 0 to 100")
        text = None if message is None else str(message)[:_MAX_MESSAGE]
        self._reporter.progress(self, min(100.0, max(0.0, float(percent))), text)
        return RECORDED

    def stream(self, text: str) -> Recorded:
        """Give watchers the next piece of a text, such as a language model's tokens.

        They get it as the event `text` of the task's stream, and can resume there; pieces that come
        within a tenth of a second go together. It is kept with the task beside its log lines, of
        which, with these, 10,000 an attempt are. Usable from any thread; awaiting it is optional.
        """
        if text:
            self._reporter.text(self, str(text))
        return RECORDED

    def save_artifact(self, name: str, data: bytes, content_type: str) -> Awaitable[None]:
        """Keep a file with the task, in place of one of the same name: at most 16 MiB.

        Await it: it is durable then. In a thread it is durable when the call returns. Raises
        ``LeaseLost`` when the attempt no longer holds its lease.
        """
        if len(data) > _MAX_ARTIFACT:
            text = f"artifact {name!r} has {len(data):,} bytes"
            raise UsageError(text, hint=f"at most {_MAX_ARTIFACT:,} bytes are kept")
        return self._reporter.save_artifact(self, name, data, content_type)

    def open_artifact(self, ref: str | UUID | TaskArtifact | dict[str, Any]) -> Any:
        """Find a file to work on: an ``Artifact``, to be read in pieces or saved to a path.

        Await it; in a thread the call gives it. ``ref`` is what payloads have in a field of the
        type ``ArtifactRef``: the id of an upload, or ``{"task_id": …, "name": …}`` for one that a
        task has saved. Raises ``NotFound`` when there is none (any more).
        """
        reporter = self._reporter
        find, read = partial(reporter.find_artifact, self), partial(reporter.read_artifact, self)
        return Artifact.opening(ref, find, read)

    @property
    def last_checkpoint(self) -> Any:
        """The data of the task's last ``checkpoint``, whichever attempt made it, else ``None``."""
        return self._memory().last_checkpoint()

    def checkpoint(self, data: Any) -> Awaitable[None]:
        """Remember data in place of the last checkpoint: it reaches the next attempt.

        Await it: it is durable then. In a thread it is durable when the call returns. ``data`` is
        anything JSON can hold, at most 256 KiB. Raises ``LeaseLost`` when the attempt no longer
        holds its lease.
        """
        self._refuse_in_transaction("a checkpoint")
        return self._memory().checkpoint(data)

    def step(self, name: str, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run ``fn`` once in the life of the task and give its result, then and ever after.

        Await it; in a thread it blocks and gives the result itself. The result is remembered under
        the name, as JSON of at most 256 KiB, and durable before it is given: a later attempt, or a
        second call with the same name, gets it without a call of ``fn``. A step that raises is not
        remembered. A step whose process dies before its result is durable runs again, so what it
        does elsewhere should bear that. Raises ``LeaseLost`` as ``checkpoint`` does, ``UsageError``
        for a result that JSON cannot hold.
        """
        self._refuse_in_transaction("a step")
        return self._memory().run(name, partial(fn, *args, **kwargs))

    @property
    def parents(self) -> Any:
        """What the tasks came to that this one waited for, in the order of ``depends_on``.

        Await it for a list of ``Parent``; in a thread it is the list itself. Read from the database
        when it is asked for, 16 MiB of results at most, else ``UsageError``.
        """
        return read_parents(self._reporter.load_parents(self))

    def transaction(self) -> Transaction:
        """Open a transaction whose commit completes the task: both happen, or neither.

        ``async with ctx.transaction() as conn`` gives a psycopg connection (in a thread: ``with``).
        At the end of the block the task is completed, with the result that ``set_result`` gave, and
        the transaction commits. An exception rolls it back. Raises ``LeaseLost``, and rolls back,
        when the attempt no longer holds its lease or the task is to be cancelled.
        """
        self._transaction = self._reporter.transaction(self)
        return self._transaction

    def set_result(self, value: Any) -> None:
        """Set the result that the open transaction records: anything JSON can hold."""
        if self._transaction is None or not self._transaction.is_open:
            message = "there is no open transaction to record a result"
            raise UsageError(message, hint="return the result, or call this inside the block")
        self._transaction.result = encode_bounded(value, "the result")

    def _memory(self) -> Steps:
        if self._steps is None:
            save = partial(self._reporter.save_checkpoint, self)
            self._steps = Steps(self.task_id, self._remembered or {}, save)
        return self._steps

    def _refuse_in_transaction(self, what: str) -> None:
        if self._transaction is not None and self._transaction.is_open:
            message = f"{what} inside a transaction"
            raise UsageError(
                message, hint="it would be remembered even if the transaction is rolled back"
            )
