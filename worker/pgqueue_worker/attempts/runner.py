"""Runs attempts, each from claim to finish.

An attempt ends in exactly one finish, whatever its handler does. What happens at a timeout, and to
a handler that does not stop, is in ``timeouts``.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from typing import TYPE_CHECKING

import structlog

from pgqueue import telemetry
from pgqueue.handlers import ending as endings
from pgqueue.handlers.ending import COMPLETED, RELEASED, Ending
from pgqueue.models.tasks.status import LeaseId, Outcome
from pgqueue_worker.attempts.attempt_log import AttemptLog
from pgqueue_worker.attempts.backlog import Backlog
from pgqueue_worker.attempts.finisher import Finish
from pgqueue_worker.attempts.prefetch import Prefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pgqueue.handlers.ending import Cause
    from pgqueue.handlers.task_type import TaskType
    from pgqueue_worker.attempts.deadlines import Deadlines
    from pgqueue_worker.attempts.execution import Execution
    from pgqueue_worker.attempts.finisher import Finisher
    from pgqueue_worker.lease import Lease
    from pgqueue_worker.measurements import Measurements
    from pgqueue_worker.reports.reporter import Reporter

__all__ = ["MAX_INTERRUPTS", "Runner"]

_log = structlog.get_logger("pgqueue.task")

MAX_INTERRUPTS = 2
"""A handler that swallowed the first interrupt may obey the second."""

_AFTER_GRACE_S = 5.0


class Runner:
    """Up to ``concurrency`` attempts at once, and those that wait for a slot."""

    def __init__(
        self,
        types: Mapping[str, TaskType],
        *,
        concurrency: int,
        stop_grace_s: float,
        execution: Execution,
        deadlines: Deadlines,
        finisher: Finisher,
        reporter: Reporter,
        measurements: Measurements,
        on_room: Callable[[], None],
        on_unwell: Callable[[], None],
    ) -> None:
        self.types = types
        self._concurrency = concurrency
        self._stop_grace_s = stop_grace_s
        self._execution = execution
        self._deadlines = deadlines
        self._finisher = finisher
        self._reporter = reporter
        self._log = AttemptLog(measurements)
        self._on_room = on_room
        self._on_unwell = on_unwell
        self._loop = asyncio.get_running_loop()
        self._clean = contextvars.copy_context()
        self._running: dict[LeaseId, Lease] = {}
        self._backlog = Backlog()
        self._idle = asyncio.Event()
        self._idle.set()
        self.broken: asyncio.Future[None] = self._loop.create_future()
        """Ends with the error when an attempt could not be ended: the process must end, too."""
        self._prefetch = Prefetch(concurrency)
        self._ahead = 0
        self._moved_at = self._loop.time()

    @property
    def room(self) -> int:
        """How many attempts to claim now: for free slots and ahead of them; 0 if too few to ask."""
        ahead = self._ahead = self._prefetch.ahead()
        room = self._concurrency + ahead - len(self._running) - len(self._backlog)
        return room if room * 2 >= ahead else 0

    @property
    def free_slots(self) -> int:
        """How many attempts could start at once."""
        return max(0, self._concurrency - len(self._running) - len(self._backlog))

    @property
    def has_backlog(self) -> bool:
        """Whether attempts wait here for a slot."""
        return bool(self._backlog)

    @property
    def backlog_queues(self) -> set[str]:
        """The queues of the attempts that wait here for a slot."""
        return {lease.task.queue for lease in self._backlog}

    @property
    def running(self) -> list[Lease]:
        """The attempts that run."""
        return list(self._running.values())

    @property
    def lease_ids(self) -> set[LeaseId]:
        """The leases of the attempts that run or wait here."""
        return {*self._running, *(lease.lease_id for lease in self._backlog)}

    def stalled_s(self, now: float) -> float:
        """Return for how long nothing has started or ended while attempts wait here."""
        return now - self._moved_at if self._backlog else 0.0

    def take(self, leases: list[Lease]) -> None:
        """Run attempts in the order of priority and seq, as slots become free."""
        self._idle.clear()
        runnable = []
        for lease in leases:
            self._reporter.attach(lease)
            if lease.task.expired:
                self._finish(lease, endings.expired())
            else:
                runnable.append(lease)
        self._backlog.add(runnable)
        self._start_next()

    def cancel(self, lease_id: int) -> None:
        """Ask an attempt to stop, if this process holds it, because its task was cancelled."""
        lease = self._running.get(LeaseId(lease_id))
        if lease is not None:
            if lease.cause is None:
                self.interrupt(lease, "cancel")
            return
        waiting = self._backlog.remove(lease_id)
        if waiting is not None:
            self._finish(waiting, Ending(Outcome.CANCELLED))

    def interrupt(self, lease: Lease, cause: Cause) -> None:
        """Ask a handler to stop; the ending of its attempt says why."""
        if lease.interruptible and lease.running is not None:
            lease.cause = cause
            lease.interrupts += 1
            self._deadlines.set(lease, self._loop.time() + self._stop_grace_s / MAX_INTERRUPTS)
            lease.running.cancel()

    def put_back(self, queues: Collection[str]) -> None:
        """Release attempts of paused queues that have not started."""
        for lease in self._backlog.remove_queues(queues):
            self._finish(lease, RELEASED)
        self._start_next()

    def put_backlog_back(self, stalled_s: float) -> None:
        """Release the backlog, because the handlers before it are slower than expected."""
        self._prefetch.stalled(stalled_s)
        for lease in self._backlog.remove_all():
            self._finish(lease, RELEASED)

    async def drain(self, grace_s: float, hurry: asyncio.Event) -> None:
        """Release what has not started, and let the rest end.

        The grace begins with ``hurry``. Attempts that are not done after it are interrupted and
        released.
        """
        for lease in self._backlog.remove_all():
            self._finish(lease, RELEASED)
        if not self._running:
            self._idle.set()
        idle = asyncio.create_task(self._idle.wait())
        hurried = asyncio.create_task(hurry.wait())
        try:
            await asyncio.wait({idle, hurried}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({idle}, timeout=grace_s)
            if not idle.done():
                for lease in self.running:
                    self.interrupt(lease, "drain")
                await asyncio.wait({idle}, timeout=_AFTER_GRACE_S)
            if not idle.done():
                _log.warning("handlers_ignore_cancel", n=len(self._running))
        finally:
            idle.cancel()
            hurried.cancel()
        self._execution.close()

    def end(self, lease: Lease, ending: Ending, took_s: float) -> None:
        """Log and finish an attempt that ran."""
        if lease.completed:
            if ending != COMPLETED:
                self._log.ended_after_completion(lease, ending)
            ending = COMPLETED
        self._log.ended(lease, ending, took_s)
        self._finish(lease, ending)

    def leave_behind(self, lease: Lease) -> None:
        """Free the slot of a handler that does not stop, and ask to replace this process."""
        _log.warning("handler_does_not_stop", task_id=lease.task.id, type=lease.task.type)
        self._deadlines.clear(lease)
        del self._running[lease.lease_id]
        self._on_unwell()
        self._start_next()

    def _start(self, lease: Lease) -> None:
        self._running[lease.lease_id] = lease
        self._moved_at = self._loop.time()
        # each attempt in a context of its own: nothing one handler sets reaches another
        lease.running = self._loop.create_task(self._attempt(lease), context=self._clean.copy())

    def _start_next(self) -> None:
        while self._backlog and len(self._running) < self._concurrency:
            self._start(self._backlog.next())
        if not self._running:
            self._idle.set()
        if len(self._backlog) * 2 <= self._ahead:
            self._on_room()

    async def _attempt(self, lease: Lease) -> None:
        try:
            try:
                ending, took_s = await self._run(lease)
            except GeneratorExit as error:
                # A future of the handler's raised it. It closes every coroutine between the event
                # loop and the handler, so only the outermost one can catch it.
                if not self._loop.is_running():
                    raise
                ending = endings.raised(error, self.types[lease.task.type])
                took_s = self._loop.time() - lease.started_at
            self._deadlines.clear(lease)
            if lease.lease_id not in self._running:
                return  # left behind, and ended without this
            if lease.unsent_events:
                await self._reporter.sent(lease)
            self.end(lease, ending, took_s)
            if lease.stray is not None:
                lease.deadline = self._loop.time() + self._stop_grace_s
                await asyncio.gather(lease.stray, return_exceptions=True)
            self._running.pop(lease.lease_id, None)
            self._start_next()
        except Exception as error:  # noqa: BLE001  ours, not the handler's: nothing may hang
            if not self.broken.done():
                self.broken.set_exception(error)

    async def _run(self, lease: Lease) -> tuple[Ending, float]:
        started = lease.started_at = self._loop.time()
        ending = await self._execution.run(lease, self.types[lease.task.type])
        self._moved_at = self._loop.time()
        took_s = self._moved_at - started
        self._prefetch.ran(took_s)
        return ending, took_s

    def _finish(self, lease: Lease, ending: Ending) -> None:
        self._reporter.detach(lease)
        if lease.completed:
            return
        finish = Finish(lease.task.id, lease.lease_id, ending, lease.progress)
        if telemetry.enabled():
            began = time.time_ns()
            self._finisher.add(finish, lambda: _trace_finish(lease, began))
        else:
            self._finisher.add(finish)


def _trace_finish(lease: Lease, began_ns: int) -> None:
    with telemetry.span_from(lease.traceparent, f"finish {lease.task.type}", start_ns=began_ns):
        pass
