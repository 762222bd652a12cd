"""As many worker processes as the load asks for, within their bounds.

A process that is not needed any more claims no more, sees its attempts to their end however long
they take, releases what it has not started, and ends: no attempt is charged and nothing runs twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import structlog

from pgqueue.database.link import Link
from pgqueue.database.options import Options
from pgqueue.errors import DatabaseUnavailable
from pgqueue_worker.retrying import Patience
from pgqueue_worker.supervisor.process_slot import ProcessSlot
from pgqueue_worker.supervisor.sizing import Advice, Load, advise, decide

if TYPE_CHECKING:
    from pgqueue.settings import Settings
    from pgqueue_worker.supervisor.metrics import Metrics
    from pgqueue_worker.supervisor.plan import Plan
    from pgqueue_worker.supervisor.worker_processes import WorkerProcesses

__all__ = ["ProcessPool"]

_log = structlog.get_logger("pgqueue.supervisor")

_LOOK_S = 1.0
_SHARE = 20  # a look that took t is repeated after 20 t


class ProcessPool:
    """The slots in which a supervisor keeps processes running."""

    def __init__(
        self, plan: Plan, settings: Settings, processes: WorkerProcesses, metrics: Metrics
    ) -> None:
        self._plan = plan
        self._shrink_s = settings.shrink_s
        self._processes = processes
        self._metrics = metrics
        self._slots: list[ProcessSlot] = []
        self._delivers = False
        self.running: set[asyncio.Task[None]] = set()
        """A task for each slot, also for those that are closed and whose process has not ended."""

    def start(self) -> None:
        """Start the minimum number of processes."""
        self._grow(self._plan.processes.lowest)

    def deliver(self) -> None:
        """Also keep a process that sends webhooks, from the first webhook on."""
        if not self._delivers:
            self._delivers = True
            self._run(ProcessSlot(self._plan.for_deliveries(), self._processes))

    async def follow_load(self) -> None:
        """Look at the load, forever, and adjust the number of processes to it."""
        loop = asyncio.get_running_loop()
        link = Link(self._plan.dsn, Options("pgqueue scale"))
        patience = Patience("scale")
        advice: deque[Advice] = deque()
        queues = list(self._plan.queues) or None
        pause = _LOOK_S
        try:
            while True:
                await asyncio.sleep(pause)
                began = loop.time()
                try:
                    ((wanted, slots, backlog, wait_s),) = await link.rows(
                        "scale", {"queues": queues, "types": self._processes.types or None}
                    )
                except DatabaseUnavailable as error:
                    advice.clear()  # nobody looked meanwhile
                    await patience.failed(error)
                    continue
                patience.succeeded()
                now = loop.time()
                pause = max(_LOOK_S, _SHARE * (now - began))
                registered = sum(slot.is_registered for slot in self._slots)
                advice.append(Advice(now, advise(Load(wanted, slots), registered)))
                while len(advice) > 1 and advice[1].at <= now - self._shrink_s:
                    advice.popleft()
                self._resize(
                    decide(advice, now, len(self._slots), self._plan.processes, self._shrink_s),
                    backlog,
                    wait_s,
                )
        finally:
            await link.close()

    def _resize(self, wanted: int, backlog: int, wait_s: float) -> None:
        kept = len(self._slots)
        if wanted > kept:
            # those that are about to end count, too
            others = len(self.running) - self._delivers
            self._grow(min(wanted - kept, self._plan.processes.highest - others))
        elif wanted < kept:
            self._shrink(kept - wanted)
        if len(self._slots) != kept:
            _log.info(
                "processes_changed",
                before=kept,
                now=len(self._slots),
                backlog=backlog,
                wait_s=round(wait_s, 1),
            )

    def _grow(self, n: int) -> None:
        for _ in range(n):
            slot = ProcessSlot(self._plan, self._processes)
            self._slots.append(slot)
            self._run(slot)
        self._metrics.kept(len(self._slots))

    def _run(self, slot: ProcessSlot) -> None:
        running = asyncio.create_task(slot.run())
        self.running.add(running)
        running.add_done_callback(self.running.discard)

    def _shrink(self, n: int) -> None:
        """Close the slots whose processes have nothing to do first, and then the youngest."""
        youngest_first = [*reversed(self._slots)]
        for slot in sorted(youngest_first, key=lambda slot: not slot.is_idle)[:n]:
            slot.close()
            self._slots.remove(slot)
        self._metrics.kept(len(self._slots))
