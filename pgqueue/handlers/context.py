"""The context of an attempt: what a handler knows about itself, and how it reports."""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from pgqueue.errors import UsageError
from pgqueue.handlers.artifacts import (
    Artifact,
    ArtifactFacts,
    ArtifactKey,
    TaskArtifact,
    check_file,
)
from pgqueue.handlers.isolation import IsolatedCall, ProcessLimits, parse_size
from pgqueue.handlers.parents import read_parents
from pgqueue.handlers.steps import Steps, encode_bounded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping
    from concurrent.futures import Future
    from datetime import datetime, timedelta
    from types import TracebackType
    from uuid import UUID

    import psycopg

    from pgqueue.models.tasks.status import LeaseId, TaskId

_MAX_MESSAGE = 8_192
_MAX_ARTIFACT = 16 * 1024 * 1024
_MAX_LINES = 10_000  # as many events of an attempt are kept

_log = structlog.get_logger("pgqueue.task")


class Reporter(Protocol):
    """Receives a context's reports: in a worker, or in a test."""

    def progress(self, context: Context, percent: float, message: str | None) -> None:
        """Take the latest progress; it replaces an earlier one that was not sent yet."""

    def event(self, context: Context, level: str, message: str, data: dict[str, Any]) -> None:
        """Take a log line."""

    def text(self, context: Context, text: str) -> None:
        """Take the next piece of the handler's text."""

    def save_artifact(
        self, context: Context, name: str, data: bytes, content_type: str
    ) -> Awaitable[None]:
        """Store a file with the task."""

    def save_checkpoint(self, context: Context, name: str, data: bytes) -> Awaitable[None]:
        """Remember data (JSON) under a name; in a thread it is durable when this returns."""

    def load_parents(self, context: Context) -> Any:
        """Return the parents as JSON texts: an awaitable on the event loop, a list in a thread."""

    def transaction(self, context: Context) -> Transaction:
        """Return what ``Context.transaction`` returns."""

    def find_artifact(self, context: Context, key: ArtifactKey) -> Future[ArtifactFacts]:
        """Find a file by the key that ``artifacts.key_of`` returned."""

    def read_artifact(self, context: Context, key: ArtifactKey, n: int) -> Future[bytes]:
        """Return the n-th MiB of a file."""

    def run_isolated(self, context: Context, call: IsolatedCall) -> Any:
        """Run a function in a process of its own: to be awaited, in a thread it blocks."""


class Transaction(Protocol):
    """What ``Context.transaction`` returns: to be entered once, by ``async with`` or ``with``."""

    result: bytes | None
    """The result to record, as JSON."""

    @property
    def is_open(self) -> bool:
        """Whether it was entered and has not ended."""

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
    """The result of a report that is already recorded; awaiting it is optional."""

    __slots__ = ()

    def __await__(self) -> Generator[None]:
        return
        yield  # pragma: no cover  (makes this a generator)


RECORDED = Recorded()


class TaskLog:
    """The log of one attempt: kept with the task, streamed to watchers, and in the worker's log.

    A message is cut off at 8,192 characters. Of an attempt 10,000 lines are kept and logged, and no
    more. Usable from any thread.
    """

    __slots__ = ("_context", "_lines")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lines = itertools.count(1)

    def debug(self, message: str, **data: Any) -> None:
        """Log a detail for debugging."""
        self._write("debug", message, data)

    def info(self, message: str, **data: Any) -> None:
        """Log what happened."""
        self._write("info", message, data)

    def warning(self, message: str, **data: Any) -> None:
        """Log what looks wrong."""
        self._write("warning", message, data)

    def error(self, message: str, **data: Any) -> None:
        """Log what went wrong."""
        self._write("error", message, data)

    def _write(self, level: str, message: str, data: dict[str, Any]) -> None:
        line = next(self._lines)
        if line > _MAX_LINES:
            return
        context = self._context
        text = str(message)[:_MAX_MESSAGE]
        context._reporter.event(context, level, text, data)  # noqa: SLF001  one unit, two classes
        if line == _MAX_LINES:
            level, text = "warning", f"more is logged than the {_MAX_LINES:,} lines that are kept"
            data = {}
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

    ``run_at`` is the earliest time the task was allowed to run: the due time of its schedule, or
    the one it was enqueued with; ``None`` if it could run at once. ``batch_id`` is its batch, if
    any.
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
        """Report how far the attempt is, from 0 to 100; values beyond are clamped.

        The call records it, from any thread; awaiting it is optional. It is sent once the report
        before it has been, and the latest one wins, so a handler may report as often as it likes.
        """
        if math.isnan(percent):
            raise UsageError("progress cannot be NaN", hint="pass a percentage from 0 to 100")
        text = None if message is None else str(message)[:_MAX_MESSAGE]
        self._reporter.progress(self, min(100.0, max(0.0, float(percent))), text)
        return RECORDED

    def stream(self, text: str) -> Recorded:
        """Send watchers the next piece of a text, such as a language model's tokens.

        They receive it as the event `text` of the task's stream, which they can resume; pieces
        within a tenth of a second are sent together. It is kept with the task like a log line; of
        both together, 10,000 an attempt are kept. Usable from any thread; awaiting it is optional.
        """
        if text:
            self._reporter.text(self, str(text))
        return RECORDED

    def save_artifact(self, name: str, data: bytes, content_type: str) -> Awaitable[None]:
        """Store a file of at most 16 MiB with the task; it replaces one of the same name.

        It is durable once this is awaited; in a thread, once the call returns. Raises
        ``LeaseLost`` when the attempt no longer holds its lease, ``UsageError`` for a name or a
        media type that is none.
        """
        check_file(name, content_type)
        if len(data) > _MAX_ARTIFACT:
            raise UsageError(
                f"artifact {name!r} has {len(data):,} bytes",
                hint=f"an artifact has at most {_MAX_ARTIFACT:,} bytes: split it",
            )
        return self._reporter.save_artifact(self, name, data, content_type)

    def open_artifact(self, ref: str | UUID | TaskArtifact | dict[str, Any]) -> Any:
        """Return an ``Artifact``, a file to be read in pieces or saved to a path.

        Await it; in a thread the call returns it. ``ref`` is what a payload holds in a field of
        type ``ArtifactRef``: the id of an upload, or ``{"task_id": …, "name": …}`` for a file that
        a task has saved. Raises ``NotFound`` when there is none or it was deleted.
        """
        reporter = self._reporter
        find, read = partial(reporter.find_artifact, self), partial(reporter.read_artifact, self)
        return Artifact.opening(ref, find, read)

    @property
    def last_checkpoint(self) -> Any:
        """The data of the task's last ``checkpoint``, in whichever attempt, else ``None``."""
        return self._memory().last_checkpoint()

    def checkpoint(self, data: Any) -> Awaitable[None]:
        """Save data for the next attempt, replacing the last checkpoint.

        It is durable once this is awaited; in a thread, once the call returns. ``data`` is anything
        JSON can hold, at most 256 KiB. Raises ``LeaseLost`` when the attempt no longer holds its
        lease.
        """
        self._refuse_in_transaction("a checkpoint")
        return self._memory().checkpoint(data)

    def step(self, name: str, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run ``fn`` once in the life of the task and return its result, now and in later attempts.

        Await it; in a thread it blocks and returns the result. The result is stored under the name,
        as JSON of at most 256 KiB, and is durable before this returns it: a later attempt, or a
        second call with the same name, gets it without calling ``fn``. A step that raises is not
        stored. A step whose process dies before its result is durable runs again, so make what it
        does elsewhere safe to repeat. Raises ``LeaseLost`` as ``checkpoint`` does, ``UsageError``
        for a result that JSON cannot hold.
        """
        self._refuse_in_transaction("a step")
        return self._memory().run(name, partial(fn, *args, **kwargs))

    def run_isolated(
        self,
        function: Callable[..., Any] | str,
        /,
        *args: Any,
        memory_limit: int | str | None = None,
        cpu_limit: timedelta | float | None = None,
        file_limit: int | str | None = 0,
        output_limit: int | str = _MAX_ARTIFACT,
        raises: tuple[type[Exception], ...] = (),
    ) -> Any:
        """Return what ``function(ctx, *args)`` returns in a process that serves this call only.

        Await it; in a thread it blocks. It is meant for the part of a handler that works on input
        which nobody trusts. ``function`` is a plain function of a module, or its name as
        "module:function", which the worker does not import; ``args`` are what can be pickled. It
        returns JSON, bytes, or a pair ``(JSON, bytes)``, each of at most ``output_limit``. There
        ``ctx`` takes ``progress``, ``stream`` and ``log``, and nothing else.

        The process begins in an empty folder, which is removed afterwards. It has no environment
        variables of the worker and no connection. It may use ``memory_limit`` (bytes, or a text
        such as "512MB") and ``cpu_limit`` seconds of CPU, and may write no file larger than
        ``file_limit``: by default none. What the function started is killed when it returns.

        Raise ``ResourcesExceeded`` when it needs more, ``FunctionFailed`` when it raises an error
        or its process ends; an error listed in ``raises`` arrives as itself, created again from its
        message.
        When the attempt is cancelled or times out, the process is dead before that goes on.
        """
        call = IsolatedCall(
            function,
            args,
            ProcessLimits.parse(memory_limit, cpu_limit, file_limit),
            parse_size("output_limit", output_limit),
            raises,
        )
        return self._reporter.run_isolated(self, call)

    @property
    def parents(self) -> Any:
        """How the tasks in ``depends_on`` ended, in that order.

        Await it for a list of ``Parent``; in a thread it is the list itself. It is read from the
        database on each use. Raises ``UsageError`` when the results exceed 16 MiB.
        """
        return read_parents(self._reporter.load_parents(self))

    def transaction(self) -> Transaction:
        """Open a transaction whose commit completes the task: both happen, or neither.

        ``async with ctx.transaction() as conn`` yields a psycopg connection (in a thread:
        ``with``). At the end of the block the task is completed, with the result that was passed to
        ``set_result``, and the transaction commits. An exception rolls it back. Raises
        ``LeaseLost``, and rolls back, when the attempt no longer holds its lease or the task is
        being cancelled.
        """
        self._transaction = self._reporter.transaction(self)
        return self._transaction

    def set_result(self, value: Any) -> None:
        """Set the result that the open transaction records: anything JSON can hold."""
        if self._transaction is None or not self._transaction.is_open:
            raise UsageError(
                "no transaction is open that could record a result",
                hint="return the result, or call set_result inside the block of ctx.transaction()",
            )
        self._transaction.result = encode_bounded(value, "the result", round_trip=False)

    def _memory(self) -> Steps:
        if self._steps is None:
            save = partial(self._reporter.save_checkpoint, self)
            self._steps = Steps(self.task_id, self._remembered or {}, save)
        return self._steps

    def _refuse_in_transaction(self, what: str) -> None:
        if self._transaction is not None and self._transaction.is_open:
            raise UsageError(
                f"{what} cannot be made inside a transaction",
                hint="it would survive a rollback: make it before or after the block",
            )
