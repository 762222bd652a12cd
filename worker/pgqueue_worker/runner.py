"""Runs handlers: an asyncio task for each attempt, threads for plain functions.

An attempt ends in exactly one finish, whatever its handler does. Timeouts are enforced by one
reaper instead of a timer for each attempt: to 50 ms, at no cost a task.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import structlog

from pgqueue import telemetry
from pgqueue.errors import PayloadError
from pgqueue.task import Outcome
from pgqueue_worker import ending
from pgqueue_worker.failure import describe
from pgqueue_worker.isolation.pool import Ended
from pgqueue_worker.quiet import Quiet
from pgqueue_worker.tally import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pgqueue.context import Context
    from pgqueue.handlers import TaskType
    from pgqueue_worker.checkpoints import Checkpoints
    from pgqueue_worker.finisher import Finisher
    from pgqueue_worker.isolation.pool import Pool
    from pgqueue_worker.lease import Cause, Lease
    from pgqueue_worker.reporter import Reporter
    from pgqueue_worker.tally import Tally

_log = structlog.get_logger("pgqueue.task")

_REAP_S = 0.05
_REMIND_S = 1.0
_PREFETCH_S = 0.02
_MAX_PREFETCH = 1_000
_SUSPECT = 2  # crashes after which a task runs alone: one more is its last


class Runner:
    """Up to ``concurrency`` attempts at once, and those that wait for a place."""

    def __init__(
        self,
        types: Mapping[str, TaskType],
        *,
        concurrency: int,
        finisher: Finisher,
        reporter: Reporter,
        checkpoints: Checkpoints,
        tally: Tally,
        pool: Pool,
        on_room: Callable[[], None],
    ) -> None:
        self._types = types
        self._concurrency = concurrency
        self._finisher = finisher
        self._reporter = reporter
        self._checkpoints = checkpoints
        self._tally = tally
        self._pool = pool
        self._on_room = on_room
        self._loop = asyncio.get_running_loop()
        self._clean = contextvars.copy_context()
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="pgqueue-handler")
        self._running: dict[int, Lease] = {}
        self._waiting: deque[Lease] = deque()
        self._suspect: Lease | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self.broken: asyncio.Future[None] = self._loop.create_future()
        """Ends with the error when an attempt could not be ended: the process must die of it."""
        self._mean_s = 1.0
        self._ahead = 0
        self._quiet = Quiet()

    @property
    def room(self) -> int:
        """How many attempts to claim now, 0 while it is not worth a round trip.

        Held are those that run and what they use up in some 20 ms: so a slow handler's tasks are
        not taken from other workers, and a fast one never waits for the round trip of a claim.
        """
        ahead = self._ahead = min(
            int(self._concurrency / self._mean_s * _PREFETCH_S), _MAX_PREFETCH
        )
        if self._suspect is not None:
            return 0
        room = self._concurrency + ahead - len(self._running) - len(self._waiting)
        return room if room * 2 >= ahead else 0

    def take(self, leases: list[Lease]) -> None:
        """Run attempts as soon as there is a place.

        One whose task took down its process twice runs alone: if it is the one that kills, nobody
        else is charged for the third crash.
        """
        self._idle.clear()
        for lease in leases:
            self._reporter.attach(lease)
            if lease.crashes < _SUSPECT or self._isolated(lease.type):
                self._waiting.append(lease)
            elif self._suspect is None:
                self._suspect = lease
            else:
                self._put_back(lease, Outcome.RELEASED, "waits to run alone after two crashes")
        self._next()

    def interrupt(self, lease_id: int, cause: Cause) -> None:
        """Ask an attempt to stop, if this process holds it; its finish says why it did."""
        lease = self._running.get(lease_id)
        if lease is not None:
            self._interrupt(lease, cause)
            return
        for lease in self._waiting:
            if lease.lease_id == lease_id:
                self._waiting.remove(lease)
                self._put_back(lease, Outcome.CANCELLED)
                return  # a suspect that has not started is cancelled when it ends

    async def drain(self, grace_s: float) -> None:
        """Give back what has not started, let the rest end, and stop it after the grace."""
        while self._waiting:
            self._put_back(self._waiting.popleft(), Outcome.RELEASED)
        if self._suspect is not None and self._suspect.lease_id not in self._running:
            self._put_back(self._suspect, Outcome.RELEASED)
            self._suspect = None
        try:
            async with asyncio.timeout(grace_s):
                await self._idle.wait()
        except TimeoutError:
            for lease in list(self._running.values()):
                self._interrupt(lease, "drain")
            with_luck = asyncio.wait_for(self._idle.wait(), 5)
            try:
                await with_luck
            except TimeoutError:
                _log.warning("handlers_ignore_cancel", n=len(self._running))
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def reap(self) -> None:
        """Enforce timeouts for ever."""
        while True:
            await asyncio.sleep(_REAP_S)
            now = self._loop.time()
            for lease in list(self._running.values()):
                if lease.deadline is not None and now >= lease.deadline:
                    # a handler that swallowed the cancel is asked again
                    lease.deadline = now + _REMIND_S
                    self._interrupt(lease, lease.cause or "timeout")

    def _isolated(self, type: str) -> bool:
        kind = self._types.get(type)
        return kind is not None and kind.isolation == "process"

    def _interrupt(self, lease: Lease, cause: Cause) -> None:
        if lease.interruptible and lease.running is not None:
            lease.cause = cause
            lease.running.cancel()

    def _start(self, lease: Lease) -> None:
        self._running[lease.lease_id] = lease
        # each attempt in a context of its own: nothing one handler sets reaches another
        lease.running = self._loop.create_task(self._attempt(lease), context=self._clean.copy())

    def _next(self) -> None:
        while self._waiting and len(self._running) < self._concurrency:
            self._start(self._waiting.popleft())
        if self._suspect is not None:
            if not self._running:
                self._start(self._suspect)
            return
        if not self._running:
            self._idle.set()
        if len(self._waiting) * 2 <= self._ahead:
            self._on_room()

    async def _attempt(self, lease: Lease) -> None:
        try:
            if lease is self._suspect:
                await self._finisher.drained()
            result, took = await self._run(lease)
            if lease.completed:
                result = ending.completed(result, lease)
            if lease.unsent_events:
                await self._reporter.sent(lease)
            self._end(lease, result, took)
            if lease is self._suspect:
                await self._finisher.drained()
                self._suspect = None
            if lease.stray is not None:
                await asyncio.gather(lease.stray, return_exceptions=True)
            del self._running[lease.lease_id]
            self._next()
        except Exception as error:  # noqa: BLE001  ours, not the handler's: nothing may hang
            if not self.broken.done():
                self.broken.set_exception(error)

    async def _run(self, lease: Lease) -> tuple[dict[str, Any], float]:
        started = lease.started_at = self._loop.time()
        kind = self._types.get(lease.type)
        if kind is None:
            result = ending.unknown(lease)
        elif telemetry.enabled():
            result = await self._traced(lease, kind)
        else:
            result = await self._execute(lease, kind)
        took = self._loop.time() - started
        self._mean_s += (max(took, 1e-5) - self._mean_s) * (0.02 if took < self._mean_s else 0.2)
        return result, took

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
        limit = lease.timeout_s or kind.timeout_s
        if kind.isolation == "process":
            return await self._in_child(lease, limit)
        try:
            payload = kind.decode(lease.payload)
        except PayloadError as error:
            return ending.refused(error)
        if limit is not None:
            lease.deadline = lease.started_at + limit
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
                lease.deadline = self._loop.time() + limit

        lease.interruptible = True
        try:
            remembered = await self._checkpoints.load(lease.task_id) if lease.resumes else None
            ended = await self._pool.run(lease, self._reporter, remembered, started)
        except asyncio.CancelledError:  # before it had a child
            ended = Ended(None)
        lease.interruptible = False
        lease.deadline = None
        _uncancel()
        if lease.cause is not None and (ended.result is None or ended.interrupted is not None):
            return ending.interrupted(ended.interrupted or {}, lease, limit)
        return ended.result or ending.crashed(ended.status)

    async def _in_thread(self, lease: Lease, kind: TaskType, context: Context, payload: Any) -> Any:
        call = contextvars.copy_context().run
        future = self._loop.run_in_executor(self._threads, call, kind.call, context, payload)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if not future.done():
                # what a thread does cannot be stopped from outside: it runs on and keeps its place
                lease.stray = future
                _log.warning("thread_ignores_cancel", task_id=lease.task_id, type=lease.type)
            raise

    def _end(self, lease: Lease, result: dict[str, Any], took: float) -> None:
        outcome: Outcome = result["outcome"]
        self._tally.count("finished", lease.type, lease.queue, outcome)
        self._tally.observe(BUCKETS, took, "run_seconds", lease.type, lease.queue)
        self._tally.observe(BUCKETS, lease.wait_s, "wait_seconds", lease.type, lease.queue)
        self._say(lease, result, took)
        self._finish(lease, result)

    def _put_back(self, lease: Lease, outcome: Outcome, reason: str | None = None) -> None:
        self._finish(lease, {"outcome": outcome, "reason": reason})

    def _finish(self, lease: Lease, result: dict[str, Any]) -> None:
        self._reporter.detach(lease)
        if lease.completed:
            return
        result["task_id"] = lease.task_id
        result["lease_id"] = lease.lease_id
        if lease.progress is not None:
            result["progress"] = lease.progress
        if telemetry.enabled():
            began = time.time_ns()
            self._finisher.add(result, lambda: _trace_finish(lease, began))
        else:
            self._finisher.add(result)

    def _say(self, lease: Lease, result: dict[str, Any], took: float) -> None:
        outcome: Outcome = result["outcome"]
        if outcome is Outcome.COMPLETED and not self._quiet.may_speak(self._loop.time()):
            return
        error = result.get("error") or {}
        _log.log(
            20 if outcome in (Outcome.COMPLETED, Outcome.SNOOZED, Outcome.RELEASED) else 30,
            f"task_{outcome}",
            task_id=lease.task_id,
            type=lease.type,
            attempt=lease.attempt,
            queue=lease.queue,
            seconds=round(took, 4),
            **({"error": f"{error['type']}: {error['message'][:500]}"} if error else {}),
            **({"not_logged": n} if (n := self._quiet.take()) else {}),
        )


def _uncancel() -> None:
    current = asyncio.current_task()
    while current is not None and current.cancelling():
        current.uncancel()


def _trace_finish(lease: Lease, began: int) -> None:
    with telemetry.span_from(lease.traceparent, f"finish {lease.type}", start_ns=began):
        pass
