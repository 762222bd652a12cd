"""Runs the handler of one attempt: on the event loop, in a thread, or in a process of its own."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pgqueue import telemetry
from pgqueue.errors import ResourcesExceeded
from pgqueue.handlers import ending as endings
from pgqueue.handlers.failure import describe
from pgqueue_worker.forks import end_copy
from pgqueue_worker.isolation.pool import Ended

if TYPE_CHECKING:
    from pgqueue.handlers.context import Context
    from pgqueue.handlers.ending import Ending
    from pgqueue.handlers.task_type import TaskType
    from pgqueue_worker.attempts.deadlines import Deadlines
    from pgqueue_worker.isolation.pool import Pool
    from pgqueue_worker.lease import Lease
    from pgqueue_worker.reports.checkpoints import Checkpoints
    from pgqueue_worker.reports.reporter import Reporter

__all__ = ["Execution", "limit_of"]


_SUSPECT_CRASHES = 2  # the third crash of a task is final


class Execution:
    """Calls handlers with what they need, and returns how their attempts ended."""

    def __init__(
        self,
        *,
        concurrency: int,
        reporter: Reporter,
        checkpoints: Checkpoints,
        pool: Pool,
        deadlines: Deadlines,
        isolates_suspects: bool = True,
    ) -> None:
        self._isolates_suspects = isolates_suspects
        self._concurrency = concurrency
        self._reporter = reporter
        self._checkpoints = checkpoints
        self._pool = pool
        self._deadlines = deadlines
        self._loop = asyncio.get_running_loop()
        self._threads = self._new_threads()

    async def run(self, lease: Lease, kind: TaskType) -> Ending:
        """Run an attempt and return its ending; an interrupt reaches only the handler."""
        if telemetry.enabled():
            return await self._traced(lease, kind)
        return await self._execute(lease, kind)

    def replace_threads(self) -> None:
        """Abandon the threads: one of them does not stop, and would take a slot from others."""
        self.close()
        self._threads = self._new_threads()

    def close(self) -> None:
        """Start nothing more in threads."""
        self._threads.shutdown(wait=False)

    def _new_threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._concurrency, thread_name_prefix="pgqueue-handler")

    async def _traced(self, lease: Lease, kind: TaskType) -> Ending:
        task = lease.task
        attributes = {
            "pgqueue.task_id": task.id,
            "pgqueue.type": task.type,
            "pgqueue.queue": task.queue,
            "pgqueue.attempt": task.attempt,
        }
        claimed_ns = time.time_ns() - int((self._loop.time() - lease.claimed_at) * 1e9)
        with telemetry.span_from(
            lease.traceparent, f"claim {task.type}", attributes, start_ns=claimed_ns
        ) as claim:
            lease.traceparent = claim.traceparent or lease.traceparent
        with telemetry.span_from(
            lease.traceparent, f"run {task.type}", attributes, kind="consumer"
        ) as span:
            ending = await self._execute(lease, kind)
            span.set("pgqueue.outcome", str(ending.outcome))
            if ending.error is not None:
                span.fail(ending.error["message"])
            lease.traceparent = span.traceparent or lease.traceparent
        return ending

    async def _execute(self, lease: Lease, kind: TaskType) -> Ending:
        limit = limit_of(lease, kind)
        if kind.isolation == "process" or self._is_suspect(lease):
            return await self._in_child(lease, kind, limit)
        payload, refusal = endings.decoded(lease.task.payload, kind)
        if refusal is not None:
            return refusal
        if limit is not None:
            self._deadlines.set(lease, lease.started_at + limit)
        lease.interruptible = True
        try:
            context = lease.context(self._reporter, await self._remembered(lease))
            if kind.is_async:
                value = await kind.call(context, payload)
                if value is not None:
                    value = await endings.awaited(value)
            else:
                value = await self._in_thread(lease, kind, context, payload)
            lease.interruptible = False
            end_copy()
            return endings.returned(value, kind)
        except asyncio.CancelledError as error:
            end_copy(error)
            lease.interruptible = False
            _uncancel()
            if lease.cause is None:  # the handler cancelled itself
                return endings.raised(error, kind)
            return endings.interrupted(lease.cause, limit, describe(error, skip_frames=1))
        except BaseException as error:  # noqa: BLE001  the border: a handler may raise anything
            lease.interruptible = False
            end_copy(error)
            return endings.raised(error, kind)

    def _is_suspect(self, lease: Lease) -> bool:
        """Whether this task may be the one that crashed the processes in which it ran.

        In a process of its own, its third crash harms nobody else.
        """
        return self._isolates_suspects and lease.task.crashes >= _SUSPECT_CRASHES

    async def _remembered(self, lease: Lease) -> dict[str, str] | None:
        return await self._checkpoints.load(lease.task.id) if lease.task.resumes else None

    async def _in_child(self, lease: Lease, kind: TaskType, limit: float | None) -> Ending:
        def started() -> None:  # starting a child does not count against the handler's time
            if limit is not None:
                self._deadlines.set(lease, self._loop.time() + limit)

        lease.interruptible = True
        try:
            remembered = await self._remembered(lease)
            ended = await self._pool.run(lease, kind, self._reporter, remembered, started)
        except asyncio.CancelledError:  # before it had a child
            ended = Ended(None)
        lease.interruptible = False
        _uncancel()
        if lease.cause is not None and (ended.ending is None or ended.interrupted is not None):
            return endings.interrupted(lease.cause, limit, ended.interrupted)
        if ended.status == -signal.SIGXCPU and kind.limits.cpu_s is not None:
            message = f"it took more than {kind.limits.cpu_s:,} s of processor time"
            return endings.raised(ResourcesExceeded(message), kind)
        return ended.ending or endings.crashed(ended.status)

    async def _in_thread(self, lease: Lease, kind: TaskType, context: Context, payload: Any) -> Any:
        variables = contextvars.copy_context()
        future = self._loop.run_in_executor(
            self._threads, variables.run, _called, kind, context, payload
        )
        try:
            value, error = await asyncio.shield(future)
        except asyncio.CancelledError:
            if not future.done():
                # a thread cannot be stopped from outside: it runs on and keeps its slot
                lease.stray = future
            raise
        if error is not None:
            raise error
        return await endings.awaited(value, variables)


def _called(kind: TaskType, context: Context, payload: Any) -> tuple[Any, BaseException | None]:
    """Call a plain handler; return its error, as not every error can pass through a future."""
    try:
        value = kind.call(context, payload)
    except BaseException as error:  # noqa: BLE001  the border: a handler may raise anything
        end_copy(error)
        return None, error
    end_copy()
    return value, None


def limit_of(lease: Lease, kind: TaskType) -> float | None:
    """Return the time limit of an attempt: the task's own, else that of its type."""
    return lease.task.timeout_s or kind.timeout_s


def _uncancel() -> None:
    current = asyncio.current_task()
    while current is not None and current.cancelling():
        current.uncancel()
