"""The parent of worker processes: heartbeats for them, wakes them, and has them kept running.

A handler that blocks its process's event loop cannot stop heartbeats: they are sent from here. A
process that dies is seen by ``waitpid`` and its tasks run again at once; when the supervisor dies
its processes die with it, and their tasks run again when the lease has run out.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import structlog

from pgqueue.commands.process_count import ONE, Processes
from pgqueue.database import migrations
from pgqueue.database.link import Link
from pgqueue.errors import DatabaseUnavailable, PgQueueError, SchemaMismatch, UsageError
from pgqueue.models.webhook import QUEUE
from pgqueue_worker.duties.maintenance import Maintenance
from pgqueue_worker.retrying import Patience
from pgqueue_worker.supervisor.doorbell import doorbell
from pgqueue_worker.supervisor.process_pool import Fleet
from pgqueue_worker.supervisor.process_slot import Keeper
from pgqueue_worker.supervisor.readiness import Readiness

if TYPE_CHECKING:
    from pgqueue.settings import Settings
    from pgqueue_worker.supervisor.metrics import Metrics

_log = structlog.get_logger("pgqueue.supervisor")

_LISTEN_S = 30.0
_BURST_LOOK_S = 0.1
_SHARE = 20  # a look that took t comes again after 20 t at the earliest
_KILL_S = 10.0
_DELIVERIES = 200  # webhooks under way at once: they do little but wait


@dataclass(frozen=True, slots=True)
class Plan:
    """What a supervisor is asked to run. No queues: all of them."""

    dsn: str
    app: str | None = None
    builtin: bool = False
    queues: tuple[str, ...] = ()
    processes: Processes = ONE
    concurrency: int = 10
    burst: bool = False
    delivers: bool = False

    def delivering(self) -> Plan:
        """Give the plan of the process that sends webhooks, whatever the others do."""
        return replace(
            self,
            app=None,
            builtin=False,
            queues=(QUEUE,),
            concurrency=_DELIVERIES,
            delivers=True,
        )


class Supervisor:
    """One per host and command; see the module."""

    def __init__(self, plan: Plan, settings: Settings, metrics: Metrics) -> None:
        self._plan = plan
        self._settings = settings
        self._metrics = metrics
        self._link = Link(plan.dsn, "pgqueue supervisor")
        self._turn = asyncio.Lock()
        self._stop = asyncio.Event()
        self._beat = asyncio.Event()
        self._waiting = asyncio.Event()
        self._listening = False
        # One process hears the doorbell itself, and sooner. Many would each be woken by the server
        # for each notification, so one hears for them.
        each_listens = plan.processes.highest == 1 and settings.listen_url is None
        self._keeper = Keeper(
            settings,
            metrics,
            self._link,
            self._turn,
            stop=self._stop,
            on_waiting=self._waiting.set,
            on_deliveries=self._deliver,
            each_listens=each_listens,
        )
        self._fleet = Fleet(plan, settings, self._keeper, metrics)
        self._children = self._keeper.children
        self._name = self._keeper.name
        self._doorbell = doorbell(
            settings.listen_url or plan.dsn,
            self._name,
            listen="listen_control" if each_listens else "listen_doorbell",
            echo=lambda payload: self._call("echo", payload=payload),
            on_ring=self._ring,
            on_control=self._control,
        )
        self._readiness = Readiness(
            self._children,
            self._doorbell,
            lambda: self._call("readiness"),
            on_unfit=self._stop.set,
            poll_s=settings.poll_s,
        )
        self._maintenance = Maintenance(
            plan.dsn,
            ring=self._ring,
            on_samples=metrics.sampled,
            on_letters=metrics.counted,
            name=self._name,
        )
        metrics.readiness = self._readiness.tell

    def stop(self) -> None:
        """Drain and end; called again, end at once."""
        if self._stop.is_set():
            for child in self._children:
                child.kill()
        self._readiness.draining = True
        self._stop.set()

    async def run(self) -> int:
        """Run until stopped, or in burst mode until the queues are empty; gives the exit status."""
        await self._await_schema()
        if self._stop.is_set():
            return 0
        _log.info(
            "supervisor_started",
            processes=str(self._plan.processes),
            concurrency=self._plan.concurrency,
            queues=list(self._plan.queues) or "all",
        )
        loops = [
            asyncio.create_task(work)
            for work in (
                self._doorbell.run(),
                self._heartbeats(),
                self._mind_listening(),
                self._keeper.mind_watches(),
                self._maintenance.run(),
                self._readiness.run(),
            )
        ]
        if self._plan.burst:
            loops.append(asyncio.create_task(self._burst()))
        if not self._plan.processes.fixed:
            loops.append(asyncio.create_task(self._fleet.mind_load()))
        self._fleet.start()
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({stopping, *loops}, return_when=asyncio.FIRST_COMPLETED)
            self._readiness.draining = True
            for loop in loops:
                if loop.done():
                    loop.result()
            await self._drain(list(self._fleet.keeping))
        finally:
            ours = [stopping, *loops, *self._fleet.keeping]
            for task in ours:
                task.cancel()
            await asyncio.gather(*ours, return_exceptions=True)
            for child in self._children:
                child.kill()
            await self._link.close()
        if self._keeper.failed is not None:
            raise UsageError(self._keeper.failed)
        if self._readiness.unfit is not None:
            raise SchemaMismatch(self._readiness.unfit)
        _log.info("supervisor_stopped")
        return 0

    async def _call(self, query: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        async with self._turn:
            return await self._link.rows(query, parameters)

    async def _await_schema(self) -> None:
        """Wait for a schema that serves this code: the one that migrates it may come later."""
        patience = Patience("start")
        while not self._stop.is_set():
            try:
                ((current, min_code),) = await self._call("schema_version")
                migrations.check(current, min_code)
            except DatabaseUnavailable as error:
                self._readiness.unfit = str(error)
                await patience.failed(error)
            else:
                self._readiness.unfit = None
                patience.succeeded()
                return

    async def _heartbeats(self) -> None:
        patience = Patience("heartbeat")
        while True:
            workers = [child.worker_id for child in self._children if child.worker_id is not None]
            if workers:
                try:
                    ((active, cancels),) = await self._call(
                        "heartbeat", workers=workers, lease_s=self._settings.lease_s
                    )
                except DatabaseUnavailable as error:
                    await patience.failed(error)
                    continue
                patience.succeeded()
                self._pass_on(set(workers) - set(active), cancels)
            self._beat.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.heartbeat_s):
                    await self._beat.wait()

    def _pass_on(self, lost: set[int], cancels: list[dict[str, Any]]) -> None:
        for child in self._children:
            if child.worker_id in lost:
                _log.warning("worker_lost", pid=child.pid, worker_id=child.worker_id)
                child.kill()
            asked = [c["lease_id"] for c in cancels if c["worker_id"] == child.worker_id]
            if asked:
                child.control.send("cancel", lease_ids=asked)

    def _ring(self, queues: list[str]) -> None:
        if QUEUE in queues:
            self._deliver()
        for child in self._children:
            if child.worker_id is not None:  # a new one looks by itself
                child.control.send("ring", queues=queues)

    def _deliver(self) -> None:
        if not self._stop.is_set():
            self._fleet.deliver()

    def _control(self, payload: str) -> None:
        if payload in {str(child.worker_id) for child in self._children}:
            self._beat.set()

    async def _mind_listening(self) -> None:
        """Ask for the doorbell while a process waits, and not while all are busy."""
        while True:
            wanted = any(child.waiting for child in self._children)
            with suppress(DatabaseUnavailable):
                if wanted:
                    await self._listen(_LISTEN_S)
                    if not self._listening:
                        self._ring([])  # what came before anyone knew that we listen
                elif self._listening:
                    await self._listen(0)
                self._listening = wanted
            self._waiting.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LISTEN_S / 3):
                    await self._waiting.wait()

    async def _listen(self, seconds: float) -> None:
        await self._call("listen_on", name=self._name, channel="pgqueue_ready", seconds=seconds)

    async def _burst(self) -> None:
        """Stop once nothing is left to do."""
        queues = list(self._plan.queues) or None
        loop = asyncio.get_running_loop()
        took = 0.0
        while True:
            await asyncio.sleep(max(_BURST_LOOK_S, _SHARE * took))
            began = loop.time()
            started = self._children and all(child.worker_id for child in self._children)
            if not started:
                continue
            with suppress(DatabaseUnavailable):
                ((empty,),) = await self._call("queues_empty", queues=queues, webhooks=True)
                if empty:
                    self._stop.set()
                    return
            took = loop.time() - began

    async def _drain(self, keepers: list[asyncio.Task[None]]) -> None:
        _log.info("supervisor_draining", grace_s=self._settings.grace_s)
        for child in list(self._children):
            if child.worker_id is not None:  # one that registers later is told then
                child.control.send("drain")
                with suppress(PgQueueError):
                    await self._call("set_worker_state", worker=child.worker_id, state="draining")
        _, unfinished = await asyncio.wait(keepers, timeout=self._settings.grace_s + _KILL_S)
        for child in list(self._children):
            child.kill()
        if unfinished:
            await asyncio.wait(unfinished, timeout=_KILL_S)
        with suppress(PgQueueError):
            await self._listen(0)
