"""Runs attempts: each from claim to finish, and no longer than it may.

An attempt ends in exactly one finish, whatever its handler does. Timeouts are enforced by one
reaper instead of a timer for each attempt: to 50 ms, at no cost a task. A handler that does not
stop when it is asked to is left behind: its attempt ends, its place is free, and the process asks
to be replaced.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import structlog

from pgqueue import telemetry
from pgqueue.models.task import Outcome
from pgqueue_worker.attempts import ending
from pgqueue_worker.attempts.execution import Handling, limit_of
from pgqueue_worker.attempts.failure import suspended
from pgqueue_worker.attempts.log_sampling import Quiet
from pgqueue_worker.measurements import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pgqueue.handlers.task_type import TaskType
    from pgqueue_worker.attempts.deadlines import Deadlines
    from pgqueue_worker.attempts.finisher import Finisher
    from pgqueue_worker.attempts.lease import Cause, Lease
    from pgqueue_worker.attempts.reporter import Reporter
    from pgqueue_worker.measurements import Tally

_log = structlog.get_logger("pgqueue.task")

_STALLED_S = 1.0  # so long nothing started or ended: what waits here goes to others
_REAP_S = 0.05
_ASKS = 2  # a handler that swallowed the first request to stop may obey the second
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
        stop_grace_s: float,
        handling: Handling,
        deadlines: Deadlines,
        finisher: Finisher,
        reporter: Reporter,
        tally: Tally,
        on_room: Callable[[], None],
        on_unwell: Callable[[], None],
    ) -> None:
        self._types = types
        self._concurrency = concurrency
        self._stop_grace_s = stop_grace_s
        self._handling = handling
        self._deadlines = deadlines
        self._finisher = finisher
        self._reporter = reporter
        self._tally = tally
        self._on_room = on_room
        self._on_unwell = on_unwell
        self._loop = asyncio.get_running_loop()
        self._clean = contextvars.copy_context()
        self._running: dict[int, Lease] = {}
        self._waiting: deque[Lease] = deque()
        self._suspect: Lease | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self.broken: asyncio.Future[None] = self._loop.create_future()
        """Ends with the error when an attempt could not be ended: the process must die of it."""
        self._mean_s = 1.0
        self._moved_at = self._loop.time()
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

    @property
    def places(self) -> int:
        """How many attempts could start at once."""
        if self._suspect is not None:
            return 0
        return max(0, self._concurrency - len(self._running) - len(self._waiting))

    @property
    def waiting(self) -> bool:
        """Whether attempts wait here for a place."""
        return bool(self._waiting) or self._suspect is not None

    @property
    def lease_ids(self) -> set[int]:
        """The leases of the attempts that run or wait here."""
        held = {*self._running, *(lease.lease_id for lease in self._waiting)}
        return held if self._suspect is None else held | {self._suspect.lease_id}

    def take(self, leases: list[Lease]) -> None:
        """Run attempts, which come by priority and seq, in that order as soon as there is a place.

        One whose task took down its process twice runs alone: if it is the one that kills, nobody
        else is charged for the third crash.
        """
        self._idle.clear()
        runnable = []
        for lease in leases:
            self._reporter.attach(lease)
            if lease.expired:
                self._finish(lease, ending.expired())
            elif lease.crashes < _SUSPECT or self._isolated(lease.type):
                runnable.append(lease)
            elif self._suspect is None:
                self._suspect = lease
            else:
                self._put_back(lease, Outcome.RELEASED, "waits to run alone after two crashes")
        if runnable and self._waiting and _order(runnable[0]) < _order(self._waiting[-1]):
            self._waiting = deque(sorted([*self._waiting, *runnable], key=_order))
        else:
            self._waiting.extend(runnable)
        self._next()

    def interrupt(self, lease_id: int, cause: Cause) -> None:
        """Ask an attempt to stop, if this process holds it; its finish says why it did."""
        lease = self._running.get(lease_id)
        if lease is not None:
            if lease.cause is None:
                self._interrupt(lease, cause)
            return
        for lease in self._waiting:
            if lease.lease_id == lease_id:
                self._waiting.remove(lease)
                self._put_back(lease, Outcome.CANCELLED)
                return  # a suspect that has not started is cancelled when it ends

    def put_back(self, queues: Collection[str]) -> None:
        """Give back what has not started of queues that are paused."""
        kept: deque[Lease] = deque()
        for lease in self._waiting:
            if lease.queue in queues:
                self._put_back(lease, Outcome.RELEASED)
            else:
                kept.append(lease)
        self._waiting = kept
        self._put_suspect_back(queues)
        self._next()

    async def drain(self, grace_s: float, hurry: asyncio.Event) -> None:
        """Give back what has not started, and let the rest end.

        The grace begins with ``hurry``; what is not done after it is stopped and given back.
        """
        while self._waiting:
            self._put_back(self._waiting.popleft(), Outcome.RELEASED)
        self._put_suspect_back()
        if not self._running:
            self._idle.set()
        idle = asyncio.create_task(self._idle.wait())
        hurried = asyncio.create_task(hurry.wait())
        try:
            await asyncio.wait({idle, hurried}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({idle}, timeout=grace_s)
            if not idle.done():
                for lease in list(self._running.values()):
                    self._interrupt(lease, "drain")
                await asyncio.wait({idle}, timeout=5)
            if not idle.done():
                _log.warning("handlers_ignore_cancel", n=len(self._running))
        finally:
            idle.cancel()
            hurried.cancel()
        self._handling.close()

    async def reap(self) -> None:
        """Enforce timeouts and requests to stop, for ever."""
        while True:
            await asyncio.sleep(_REAP_S)
            now = self._loop.time()
            if self._waiting and now - self._moved_at > _STALLED_S:
                self._give_way(now - self._moved_at)
            for lease in list(self._running.values()):
                if lease.deadline is not None and now >= lease.deadline:
                    self._enforce(lease)

    def _give_way(self, stalled_s: float) -> None:
        """Give back what was claimed ahead: the handlers before it are slower than it seemed."""
        self._mean_s = max(self._mean_s, self._concurrency * stalled_s)
        while self._waiting:
            self._put_back(self._waiting.popleft(), Outcome.RELEASED)

    def _enforce(self, lease: Lease) -> None:
        if lease.stray is not None:  # the attempt has ended, its thread has not
            self._handling.replace_threads()
            self._leave_behind(lease)
        elif not lease.interruptible:  # it is about to end
            self._deadlines.set(lease, self._loop.time() + self._stop_grace_s)
        elif lease.asked < _ASKS:
            self._interrupt(lease, lease.cause or "timeout")
        else:
            kind = self._types[lease.type]
            where = {"traceback": suspended(lease.running)}
            result = ending.interrupted(where, lease, limit_of(lease, kind))
            self._end(lease, result, self._loop.time() - lease.started_at)
            self._leave_behind(lease)

    def _leave_behind(self, lease: Lease) -> None:
        _log.warning("handler_does_not_stop", task_id=lease.task_id, type=lease.type)
        self._deadlines.clear(lease)
        del self._running[lease.lease_id]
        if lease is self._suspect:
            self._suspect = None
        self._on_unwell()
        self._next()

    def _isolated(self, type: str) -> bool:
        kind = self._types.get(type)
        return kind is not None and kind.isolation == "process"

    def _interrupt(self, lease: Lease, cause: Cause) -> None:
        if lease.interruptible and lease.running is not None:
            lease.cause = cause
            lease.asked += 1
            self._deadlines.set(lease, self._loop.time() + self._stop_grace_s / _ASKS)
            lease.running.cancel()

    def _start(self, lease: Lease) -> None:
        self._running[lease.lease_id] = lease
        self._moved_at = self._loop.time()
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
            try:
                result, took = await self._run(lease)
            except GeneratorExit as error:  # of a future of the handler's: it closed all in between
                if not self._loop.is_running():
                    raise
                result = ending.raised(error, self._types[lease.type])
                took = self._loop.time() - lease.started_at
            self._deadlines.clear(lease)
            if lease.lease_id not in self._running:
                return  # left behind, and ended without this
            if lease.unsent_events:
                await self._reporter.sent(lease)
            self._end(lease, result, took)
            if lease is self._suspect:
                await self._finisher.drained()
                self._suspect = None
            if lease.stray is not None:
                lease.deadline = self._loop.time() + self._stop_grace_s
                await asyncio.gather(lease.stray, return_exceptions=True)
            self._running.pop(lease.lease_id, None)
            self._next()
        except Exception as error:  # noqa: BLE001  ours, not the handler's: nothing may hang
            if not self.broken.done():
                self.broken.set_exception(error)

    async def _run(self, lease: Lease) -> tuple[dict[str, Any], float]:
        started = lease.started_at = self._loop.time()
        kind = self._types.get(lease.type)
        if kind is None:
            result = ending.unknown(lease)
        else:
            result = await self._handling.run(lease, kind)
        self._moved_at = self._loop.time()
        took = self._moved_at - started
        self._mean_s += (max(took, 1e-5) - self._mean_s) * (0.02 if took < self._mean_s else 0.2)
        return result, took

    def _end(self, lease: Lease, result: dict[str, Any], took: float) -> None:
        if lease.completed:
            result = ending.completed(result, lease)
        outcome: Outcome = result["outcome"]
        self._tally.count("finished", lease.type, lease.queue, outcome)
        self._tally.observe(BUCKETS, took, "run_seconds", lease.type, lease.queue)
        self._tally.observe(BUCKETS, lease.wait_s, "wait_seconds", lease.type, lease.queue)
        self._say(lease, result, took)
        self._finish(lease, result)

    def _put_back(self, lease: Lease, outcome: Outcome, reason: str | None = None) -> None:
        self._finish(lease, {"outcome": outcome, "reason": reason})

    def _put_suspect_back(self, queues: Collection[str] | None = None) -> None:
        suspect = self._suspect
        if suspect is None or suspect.lease_id in self._running:
            return
        if queues is None or suspect.queue in queues:
            self._put_back(suspect, Outcome.RELEASED)
            self._suspect = None

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


def _order(lease: Lease) -> tuple[int, int]:
    return lease.priority, lease.seq


def _trace_finish(lease: Lease, began: int) -> None:
    with telemetry.span_from(lease.traceparent, f"finish {lease.type}", start_ns=began):
        pass
