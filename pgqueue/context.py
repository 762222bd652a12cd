"""What a handler is given: who it is, and how it reports."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from pgqueue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

    from pgqueue.task import LeaseId, TaskId

_MAX_MESSAGE = 8_192
_MAX_ARTIFACT = 16 * 1024 * 1024

_log = structlog.get_logger("pgqueue.task")


class Reporter(Protocol):
    """Where a context's reports go: the worker's, or a test's."""

    def progress(self, context: Context, percent: float, message: str | None) -> None:
        """Take the latest progress; an earlier one that was not sent yet is forgotten."""

    def event(self, context: Context, level: str, message: str, data: dict[str, Any]) -> None:
        """Take a log line."""

    def save_artifact(
        self, context: Context, name: str, data: bytes, content_type: str
    ) -> Awaitable[None]:
        """Keep a file."""


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
    """One attempt, as its handler sees it."""

    __slots__ = (
        "_reporter",
        "attempt",
        "lease_id",
        "log",
        "max_attempts",
        "queue",
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
    ) -> None:
        self.task_id = task_id
        self.lease_id = lease_id
        self.attempt = attempt
        self.max_attempts = max_attempts
        self.type = type
        self.queue = queue
        self.log = TaskLog(self)
        self._reporter = reporter

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

    def save_artifact(self, name: str, data: bytes, content_type: str) -> Awaitable[None]:
        """Keep a file with the task, in place of one of the same name: at most 16 MiB.

        Await it: it is durable then. In a thread it is durable when the call returns. Raises
        ``LeaseLost`` when the attempt no longer holds its lease.
        """
        if len(data) > _MAX_ARTIFACT:
            text = f"artifact {name!r} has {len(data):,} bytes"
            raise UsageError(text, hint=f"at most {_MAX_ARTIFACT:,} bytes are kept")
        return self._reporter.save_artifact(self, name, data, content_type)
