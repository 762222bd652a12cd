"""Runs the handler of one attempt: on the event loop, in a thread, or in a process of its own."""

from __future__ import annotations

import asyncio
import contextvars
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import structlog

from pgqueue import telemetry
from pgqueue_worker.attempts import ending
from pgqueue_worker.attempts.failure import describe
from pgqueue_worker.isolation.pool import Ended

if TYPE_CHECKING:
    from pgqueue.handlers.context import Context
    from pgqueue.handlers.task_type import TaskType
    from pgqueue_worker.attempts.checkpoints import Checkpoints
    from pgqueue_worker.attempts.deadlines import Deadlines
    from pgqueue_worker.attempts.lease import Lease
    from pgqueue_worker.attempts.reporter import Reporter
    from pgqueue_worker.isolation.pool import Pool

_log = structlog.get_logger("pgqueue.task")


class Handling:
    """Gives each handler what it needs, and gives how its attempt ended."""

    def __init__(
        self,
        *,
        concurrency: int,
        reporter: Reporter,
        checkpoints: Checkpoints,
        pool: Pool,
        deadlines: Deadlines,
    ) -> None:
        self._concurrency = concurrency
        self._reporter = reporter
        self._checkpoints = checkpoints
        self._pool = pool
        self._deadlines = deadlines
        self._loop = asyncio.get_running_loop()
        self._threads = self._new_threads()

    async def run(self, lease: Lease, kind: TaskType) -> dict[str, Any]:
        """Run an attempt and give its finish; an interrupt reaches only the handler."""
        if telemetry.enabled():
            return await self._traced(lease, kind)
        return await self._execute(lease, kind)

    def replace_threads(self) -> None:
        """Leave a thread that does not stop to itself: it takes no place from others."""
        self.close()
        self._threads = self._new_threads()

    def close(self) -> None:
        """Start nothing more in threads."""
        self._threads.shutdown(wait=False)

    def _new_threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._concurrency, thread_name_prefix="pgqueue-handler")

    async def _traced(self, lease: Lease, kind: TaskType) -> dict[str, Any]:
        attributes = {
            "pgqueue.task_id": lease.task_id,
            "pgqueue.type": lease.type,
            "pgqueue.queue": lease.queue,
            "pgqueue.attempt": lease.attempt,
        }
        waited = time.time_ns() - int((self._loop.time() - lease.claimed_at) * 1e9)
        with telemetry.span_from(
            lease.traceparent, f"claim {lease.type}", attributes, start_ns=waited
        ) as claim:
            lease.traceparent = claim.traceparent or lease.traceparent
        with telemetry.span_from(
            lease.traceparent, f"run {lease.type}", attributes, kind="consumer"
        ) as span:
            result = await self._execute(lease, kind)
            span.set("pgqueue.outcome", str(result["outcome"]))
            if "error" in result:
                span.fail(result["error"]["message"])
            lease.traceparent = span.traceparent or lease.traceparent
        return result

    async def _execute(self, lease: Lease, kind: TaskType) -> dict[str, Any]:
        limit = limit_of(lease, kind)
        if kind.isolation == "process":
            return await self._in_child(lease, limit)
        payload, refusal = ending.decoded(lease.payload, kind)
        if refusal is not None:
            return refusal
        if limit is not None:
            self._deadlines.set(lease, lease.started_at + limit)
        lease.interruptible = True
        try:
            remembered = await self._checkpoints.load(lease.task_id) if lease.resumes else None
            context = lease.context(self._reporter, remembered)
            if kind.is_async:
                value = await kind.call(context, payload)
            else:
                value = await self._in_thread(lease, kind, context, payload)
            lease.interruptible = False
            return ending.returned(value)
        except asyncio.CancelledError as error:
            lease.interruptible = False
            _uncancel()
            if lease.cause is None:  # the handler cancelled itself
                return ending.raised(error, kind)
            return ending.interrupted(describe(error, skip_frames=1), lease, limit)
        except BaseException as error:  # noqa: BLE001  the border: a handler may raise anything
            lease.interruptible = False
            return ending.raised(error, kind)

    async def _in_child(self, lease: Lease, limit: float | None) -> dict[str, Any]:
        def started() -> None:  # a child that had to be started first costs the handler no time
            if limit is not None:
                self._deadlines.set(lease, self._loop.time() + limit)

        lease.interruptible = True
        try:
            remembered = await self._checkpoints.load(lease.task_id) if lease.resumes else None
            ended = await self._pool.run(lease, self._reporter, remembered, started)
        except asyncio.CancelledError:  # before it had a child
            ended = Ended(None)
        lease.interruptible = False
        _uncancel()
        if lease.cause is not None and (ended.result is None or ended.interrupted is not None):
            return ending.interrupted(ended.interrupted or {}, lease, limit)
        return ended.result or ending.crashed(ended.status)

    async def _in_thread(self, lease: Lease, kind: TaskType, context: Context, payload: Any) -> Any:
        call = contextvars.copy_context().run
        future = self._loop.run_in_executor(self._threads, call, _called, kind, context, payload)
        try:
            value, error = await asyncio.shield(future)
        except asyncio.CancelledError:
            if not future.done():
                # what a thread does cannot be stopped from outside: it runs on and keeps its place
                lease.stray = future
            raise
        if error is not None:
            raise error
        return value


def _called(kind: TaskType, context: Context, payload: Any) -> tuple[Any, BaseException | None]:
    """Call a plain handler. What it raises is given: not every error passes through a future."""
    try:
        return kind.call(context, payload), None
    except BaseException as error:  # noqa: BLE001  the border: a handler may raise anything
        return None, error


def limit_of(lease: Lease, kind: TaskType) -> float | None:
    """Give the time limit of an attempt: the task's own, else that of its type."""
    return lease.timeout_s or kind.timeout_s


def _uncancel() -> None:
    current = asyncio.current_task()
    while current is not None and current.cancelling():
        current.uncancel()
