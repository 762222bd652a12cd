"""As many worker processes as the load asks for, within their bounds.

One that is too many claims no more, sees its attempts to their end however long they take, gives
back what it has not started, and ends: no attempt is charged and nothing runs twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import structlog

from pgqueue.database.link import Link
from pgqueue.errors import DatabaseUnavailable
from pgqueue_worker.retrying import Patience
from pgqueue_worker.supervisor.process_slot import Place
from pgqueue_worker.supervisor.sizing import Advice, Load, advise, decide

if TYPE_CHECKING:
    from pgqueue.settings import Settings
    from pgqueue_worker.supervisor.metrics import Metrics
    from pgqueue_worker.supervisor.process_slot import Keeper
    from pgqueue_worker.supervisor.supervisor import Plan

__all__ = ["Fleet"]

_log = structlog.get_logger("pgqueue.supervisor")

_LOOK_S = 1.0
_SHARE = 20  # a look that took t comes again after 20 t


class Fleet:
    """The places in which a supervisor keeps processes running."""

    def __init__(self, plan: Plan, settings: Settings, keeper: Keeper, metrics: Metrics) -> None:
        self._plan = plan
        self._shrink_s = settings.shrink_s
        self._keeper = keeper
        self._metrics = metrics
        self._places: list[Place] = []
        self._delivers = False
        self.keeping: set[asyncio.Task[None]] = set()
        """One for each process that is kept, and for each that is to end and has not."""

    def start(self) -> None:
        """Start the fewest processes that there may be."""
        self._grow(self._plan.processes.lowest)

    def deliver(self) -> None:
        """Keep a process that sends webhooks, too: from the first one on, to the end."""
        if not self._delivers:
            self._delivers = True
            self._keep(Place(self._plan.delivering()))

    async def mind_load(self) -> None:
        """Look at the load, for ever, and keep more or fewer processes by it."""
        loop = asyncio.get_running_loop()
        link = Link(self._plan.dsn, "pgqueue scale")
        patience = Patience("scale")
        advice: deque[Advice] = deque()
        queues = list(self._plan.queues) or None
        pause = _LOOK_S
        try:
            while True:
                await asyncio.sleep(pause)
                began = loop.time()
                try:
                    ((wanted, places, backlog, wait_s),) = await link.rows(
                        "scale", {"queues": queues}
                    )
                except DatabaseUnavailable as error:
                    advice.clear()  # nobody looked meanwhile
                    await patience.failed(error)
                    continue
                patience.succeeded()
                now = loop.time()
                pause = max(_LOOK_S, _SHARE * (now - began))
                running = sum(place.works for place in self._places)
                advice.append(Advice(now, advise(Load(wanted, places), running)))
                while len(advice) > 1 and advice[1].at <= now - self._shrink_s:
                    advice.popleft()
                self._resize(
                    decide(advice, now, len(self._places), self._plan.processes, self._shrink_s),
                    backlog,
                    wait_s,
                )
        finally:
            await link.close()

    def _resize(self, wanted: int, backlog: int, wait_s: float) -> None:
        kept = len(self._places)
        if wanted > kept:
            # those that are about to end are processes, too
            others = len(self.keeping) - self._delivers
            self._grow(min(wanted - kept, self._plan.processes.highest - others))
        elif wanted < kept:
            self._shrink(kept - wanted)
        if len(self._places) != kept:
            _log.info(
                "processes_changed",
                before=kept,
                now=len(self._places),
                backlog=backlog,
                wait_s=round(wait_s, 1),
            )

    def _grow(self, n: int) -> None:
        for _ in range(n):
            place = Place(self._plan)
            self._places.append(place)
            self._keep(place)
        self._metrics.kept(len(self._places))

    def _keep(self, place: Place) -> None:
        keeping = asyncio.create_task(self._keeper.keep(place))
        self.keeping.add(keeping)
        keeping.add_done_callback(self.keeping.discard)

    def _shrink(self, n: int) -> None:
        """Let go of those that have nothing to do first, and then of the youngest."""
        youngest_first = [*reversed(self._places)]
        for place in sorted(youngest_first, key=lambda place: not place.idle)[:n]:
            place.enough.set()
            self._places.remove(place)
        self._metrics.kept(len(self._places))
