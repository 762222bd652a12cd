"""The parent of worker processes: sends their heartbeats, wakes them, and has them kept running.

A handler that blocks its process's event loop cannot stop heartbeats, because they are sent from
here. When a process dies, ``waitpid`` says so and its tasks run again at once. When the supervisor
dies, its processes die with it, and their tasks run again when the lease has run out.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypedDict

import structlog

from pgqueue.database import migrations
from pgqueue.database.link import Link
from pgqueue.database.options import Options
from pgqueue.errors import DatabaseUnavailable, PgQueueError, SchemaMismatch, UsageError
from pgqueue.models.webhook import QUEUE
from pgqueue_worker.control import Cancel, Drain, Ring
from pgqueue_worker.duties.maintenance import Maintenance
from pgqueue_worker.retrying import Patience
from pgqueue_worker.supervisor.doorbell import doorbell
from pgqueue_worker.supervisor.process_pool import ProcessPool
from pgqueue_worker.supervisor.readiness import Readiness
from pgqueue_worker.supervisor.worker_processes import WorkerProcesses

if TYPE_CHECKING:
    from pgqueue.settings import Settings
    from pgqueue_worker.supervisor.metrics import Metrics
    from pgqueue_worker.supervisor.plan import Plan

__all__ = ["Supervisor"]

_log = structlog.get_logger("pgqueue.supervisor")

_LISTEN_S = 30.0
_BURST_LOOK_S = 0.1
_SHARE = 20  # a look that took t is repeated after 20 t at the earliest
_KILL_S = 10.0


class _CancelRequest(TypedDict):
    """An attempt whose task was cancelled, as ``pgqueue_private.heartbeat`` returns it."""

    worker_id: int
    lease_id: int


class Supervisor:
    """One per host and command; see the module."""

    def __init__(self, plan: Plan, settings: Settings, metrics: Metrics) -> None:
        self._plan = plan
        self._settings = settings
        self._link = Link(plan.dsn, Options("pgqueue supervisor"))
        self._turn = asyncio.Lock()
        self._stop = asyncio.Event()
        self._beat = asyncio.Event()
        self._waiting = asyncio.Event()
        self._listening = False
        # One process hears the doorbell itself, and sooner. Many would each be woken by the server
        # for each notification, so one hears for them.
        each_listens = plan.processes.highest == 1 and settings.listen_url is None
        self._processes = WorkerProcesses(
            settings,
            metrics,
            self._link,
            self._turn,
            stop=self._stop,
            on_waiting=self._waiting.set,
            on_webhooks=self._deliver,
            each_listens=each_listens,
        )
        self._pool = ProcessPool(plan, settings, self._processes, metrics)
        self._living = self._processes.living
        self._name = self._processes.name
        self._doorbell = doorbell(
            settings.listen_url or plan.dsn,
            self._name,
            listen="listen_control" if each_listens else "listen_doorbell",
            echo=lambda payload: self._call("echo", payload=payload),
            on_ring=self._ring,
            on_control=self._control,
        )
        self._readiness = Readiness(
            self._living,
            self._doorbell,
            self._call,
            on_unfit=self._stop.set,
            poll_s=settings.poll_s,
        )
        self._maintenance = Maintenance(
            plan.dsn,
            ring=self._ring,
            on_samples=metrics.sampled,
            on_dead_letters=metrics.dead_letters_counted,
            name=self._name,
        )
        metrics.readiness = self._readiness.report

    def stop(self) -> None:
        """Drain and end; called again, end at once."""
        if self._stop.is_set():
            for process in self._living:
                process.kill()
        self._readiness.draining = True
        self._stop.set()

    async def run(self) -> int:
        """Run until stopped, in burst mode until the queues are empty; return the exit status."""
        _log.info(
            "supervisor_started",
            processes=str(self._plan.processes),
            concurrency=self._plan.concurrency,
            queues=list(self._plan.queues) or "all",
        )
        self._pool.start()  # first: whether the app can be loaded depends on no database
        stopping = asyncio.create_task(self._stop.wait())
        fitting = asyncio.create_task(self._await_schema())
        loops: list[asyncio.Task[None]] = []
        try:
            await asyncio.wait({stopping, fitting}, return_when=asyncio.FIRST_COMPLETED)
            if not stopping.done():
                fitting.result()
                self._processes.fits.set()
                loops = self._start_loops()
                await asyncio.wait({stopping, *loops}, return_when=asyncio.FIRST_COMPLETED)
                self._readiness.draining = True
                for loop in loops:
                    if loop.done():
                        loop.result()
                await self._drain(list(self._pool.running))
        finally:
            ours = [stopping, fitting, *loops, *self._pool.running]
            for task in ours:
                task.cancel()
            await asyncio.gather(*ours, return_exceptions=True)
            for process in self._living:
                process.kill()
            await self._link.close()
        if self._processes.failed is not None:
            raise UsageError(self._processes.failed)
        if loops and self._readiness.unfit is not None:
            raise SchemaMismatch(self._readiness.unfit)
        _log.info("supervisor_stopped")
        return 0

    def _start_loops(self) -> list[asyncio.Task[None]]:
        works = [
            self._doorbell.run(),
            self._heartbeats(),
            self._listen_while_waiting(),
            self._processes.watch_deadlines(),
            self._maintenance.run(),
            self._readiness.run(),
        ]
        if self._plan.burst:
            works.append(self._stop_when_empty())
        if not self._plan.processes.fixed:
            works.append(self._pool.follow_load())
        return [asyncio.create_task(work) for work in works]

    async def _call(self, query: str, /, **parameters: object) -> list[tuple[Any, ...]]:
        async with self._turn:
            return await self._link.rows(query, parameters)

    async def _await_schema(self) -> None:
        """Wait for a schema that serves this code: the migration may come later."""
        patience = Patience("start")
        while True:
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
            workers = [p.worker_id for p in self._living if p.worker_id is not None]
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

    def _pass_on(self, lost: set[int], cancels: list[_CancelRequest]) -> None:
        for process in self._living:
            if process.worker_id in lost:
                _log.warning("worker_lost", pid=process.pid, worker_id=process.worker_id)
                process.kill()
            asked = [c["lease_id"] for c in cancels if c["worker_id"] == process.worker_id]
            if asked:
                process.control.send(Cancel(asked))

    def _ring(self, queues: list[str]) -> None:
        if QUEUE in queues:
            self._deliver()
        for process in self._living:
            if process.worker_id is not None:  # a new one looks as it starts
                process.control.send(Ring(queues))

    def _deliver(self) -> None:
        if not self._stop.is_set():
            self._pool.deliver()

    def _control(self, payload: str) -> None:
        if payload in {str(process.worker_id) for process in self._living}:
            self._beat.set()

    async def _listen_while_waiting(self) -> None:
        """Listen for the doorbell while a process waits, and not while all are busy."""
        while True:
            wanted = any(process.waiting for process in self._living)
            with suppress(DatabaseUnavailable):
                if wanted:
                    await self._listen(_LISTEN_S)
                    if not self._listening:
                        self._ring([])  # for tasks that came before anyone knew that we listen
                elif self._listening:
                    await self._listen(0)
                self._listening = wanted
            self._waiting.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LISTEN_S / 3):
                    await self._waiting.wait()

    async def _listen(self, seconds: float) -> None:
        await self._call("listen_on", name=self._name, channel="pgqueue_ready", seconds=seconds)

    async def _stop_when_empty(self) -> None:
        """Stop once nothing is left to do."""
        queues = list(self._plan.queues) or None
        loop = asyncio.get_running_loop()
        took = 0.0
        while True:
            await asyncio.sleep(max(_BURST_LOOK_S, _SHARE * took))
            began = loop.time()
            started = self._living and all(process.worker_id for process in self._living)
            if not started:
                continue
            with suppress(DatabaseUnavailable):
                ((empty,),) = await self._call(
                    "queues_empty", queues=queues, webhooks=True, types=self._processes.types
                )
                if empty:
                    self._stop.set()
                    return
            took = loop.time() - began

    async def _drain(self, slots: list[asyncio.Task[None]]) -> None:
        _log.info("supervisor_draining", grace_s=self._settings.grace_s)
        for process in list(self._living):
            if process.worker_id is not None:  # to one that registers later, it is sent then
                process.control.send(Drain())
                with suppress(PgQueueError):
                    await self._call("set_worker_state", worker=process.worker_id, state="draining")
        _, unfinished = await asyncio.wait(slots, timeout=self._settings.grace_s + _KILL_S)
        for process in list(self._living):
            process.kill()
        if unfinished:
            await asyncio.wait(unfinished, timeout=_KILL_S)
        with suppress(PgQueueError):
            await self._listen(0)
