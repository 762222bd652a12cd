"""The parent of worker processes: starts them, heartbeats for them, wakes them and buries them.

A handler that blocks its process's event loop cannot stop heartbeats: they are sent from here. A
process that dies is seen by ``waitpid`` and its tasks run again at once; when the supervisor dies
its processes die with it, and their tasks run again when the lease has run out.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from pgqueue import migrations
from pgqueue.database import Link
from pgqueue.errors import DatabaseUnavailable, PgQueueError, UsageError
from pgqueue_worker.child import Child
from pgqueue_worker.doorbell import Doorbell
from pgqueue_worker.maintenance import Maintenance, rescue
from pgqueue_worker.overdue import settle_overdue
from pgqueue_worker.process import LEASE_LOST
from pgqueue_worker.retrying import Patience

if TYPE_CHECKING:
    from pgqueue.settings import Settings
    from pgqueue_worker.metrics import Metrics

_log = structlog.get_logger("pgqueue.supervisor")

_LISTEN_S = 30.0
_BURST_LOOK_S = 0.1
_SHARE = 20  # a look that took t comes again after 20 t at the earliest
_KILL_S = 10.0
_LAST_WORDS_S = 1.0
_CRASH_LOOP_S = 5.0
_WATCH_S = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """What a supervisor is asked to run. No queues: all of them."""

    dsn: str
    app: str | None = None
    builtin: bool = False
    queues: tuple[str, ...] = ()
    processes: int = 1
    concurrency: int = 10
    burst: bool = False


class Supervisor:
    """One per host and command; see the module."""

    def __init__(self, plan: Plan, settings: Settings, metrics: Metrics) -> None:
        self._plan = plan
        self._settings = settings
        self._metrics = metrics
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._link = Link(plan.dsn, "pgqueue supervisor")
        self._turn = asyncio.Lock()
        self._children: set[Child] = set()
        self._stop = asyncio.Event()
        self._beat = asyncio.Event()
        self._waiting = asyncio.Event()
        self._listening = False
        self._failed: str | None = None
        self._doorbell = Doorbell(
            settings.listen_url or plan.dsn, on_ring=self._ring, on_control=self._control
        )
        self._maintenance = Maintenance(
            plan.dsn, ring=self._ring, on_samples=metrics.sampled, on_letters=metrics.counted
        )
        self._crashes = 0
        metrics.not_ready = self._not_ready

    def _not_ready(self) -> str | None:
        """Say what is missing before tasks can run: a process, a wake-up, or the will to."""
        if self._stop.is_set():
            return "draining"
        if not any(child.worker_id is not None for child in list(self._children)):
            return "no worker process is registered"
        if not self._doorbell.connected:
            return "the listener is not connected"
        return None

    def stop(self) -> None:
        """Drain and end; called again, end at once."""
        if self._stop.is_set():
            for child in self._children:
                child.kill()
        self._stop.set()

    async def run(self) -> int:
        """Run until stopped, or in burst mode until the queues are empty; gives the exit status."""
        await self._await_schema()
        if self._stop.is_set():
            return 0
        _log.info(
            "supervisor_started",
            processes=self._plan.processes,
            concurrency=self._plan.concurrency,
            queues=list(self._plan.queues) or "all",
        )
        loops = [
            asyncio.create_task(work)
            for work in (
                self._doorbell.run(),
                self._heartbeats(),
                self._mind_listening(),
                self._mind_watches(),
                self._maintenance.run(),
            )
        ]
        if self._plan.burst:
            loops.append(asyncio.create_task(self._burst()))
        keepers = [asyncio.create_task(self._keep()) for _ in range(self._plan.processes)]
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({stopping, *loops}, return_when=asyncio.FIRST_COMPLETED)
            for loop in loops:
                if loop.done():
                    loop.result()
            await self._drain(keepers)
        finally:
            for task in (stopping, *loops, *keepers):
                task.cancel()
            await asyncio.gather(stopping, *loops, *keepers, return_exceptions=True)
            for child in self._children:
                child.kill()
            await self._link.close()
        if self._failed is not None:
            raise UsageError(self._failed)
        _log.info("supervisor_stopped")
        return 0

    async def _call(self, query: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        async with self._turn:
            return await self._link.rows(query, parameters)

    async def _await_schema(self) -> None:
        patience = Patience("start")
        while not self._stop.is_set():
            try:
                ((current, min_code),) = await self._call("schema_version")
                migrations.check(current, min_code)
            except DatabaseUnavailable as error:
                await patience.failed(error)
            else:
                return

    async def _keep(self) -> None:
        """Keep one process running until the drain, and replace it when it asks for that.

        One that is replaced ends by itself, when its attempts have; if the next one is replaced
        before, it is told to drain.
        """
        living: dict[asyncio.Task[None], Child] = {}
        predecessor: Child | None = None
        try:
            while not self._stop.is_set():
                child = await self._spawn()
                child.predecessor = predecessor
                life = asyncio.create_task(self._live(child))
                living[life] = child
                unwell = asyncio.create_task(child.unwell.wait())
                await asyncio.wait({life, unwell}, return_when=asyncio.FIRST_COMPLETED)
                unwell.cancel()
                if life.done():
                    predecessor = child.predecessor  # the next process will take its place
                else:
                    predecessor = child
                    for older in living.keys() - {life}:
                        living[older].control.send("drain")
                for ended in [life for life in living if life.done()]:
                    del living[ended]
                    ended.result()
            if living:
                await asyncio.gather(*living)
        finally:
            for life in living:
                life.cancel()
            await asyncio.gather(*living, return_exceptions=True)

    async def _spawn(self) -> Child:
        return await Child.spawn(
            {
                "dsn": self._plan.dsn,
                "app": self._plan.app,
                "builtin": self._plan.builtin,
                "queues": list(self._plan.queues),
                "concurrency": self._plan.concurrency,
                "poll_s": self._settings.poll_s,
                "grace_s": self._settings.grace_s,
                "stop_grace_s": self._settings.stop_grace_s,
            }
        )

    async def _live(self, child: Child) -> None:
        """See a process through to its end, and settle what it leaves."""
        self._children.add(child)
        hearing = asyncio.create_task(self._hear(child))
        try:
            status = await child.process.wait()
            # its last words are still in the line
            await asyncio.wait({hearing}, timeout=_LAST_WORDS_S)
        finally:
            child.kill()
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
            child.close()
            self._children.discard(child)
        await self._bury(child, status)

    async def _bury(self, child: Child, status: int) -> None:
        if child.unfit is not None:
            self._failed = child.unfit
            self._stop.set()
            return
        if child.worker_id is not None:
            await self._settle(child, child.worker_id, clean=status == 0)
        if self._stop.is_set() or child.overdue or (child.unwell.is_set() and status == 0):
            return
        if status != LEASE_LOST:
            _log.error("worker_died", pid=child.pid, worker_id=child.worker_id, status=status)
        lived = asyncio.get_running_loop().time() - child.started_at
        self._crashes = self._crashes + 1 if lived < _CRASH_LOOP_S else 0
        if self._crashes > 1:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(_CRASH_LOOP_S, 0.2 * 2**self._crashes)):
                    await self._stop.wait()

    async def _settle(self, child: Child, worker_id: int, *, clean: bool) -> None:
        patience = Patience("rescue")
        while True:
            try:
                async with self._turn:
                    if clean:
                        stopped = {"worker": worker_id, "state": "stopped"}
                        await self._link.rows("set_worker_state", stopped)
                    elif child.overdue:
                        await settle_overdue(self._link, worker_id, child.overdue)
                    else:
                        await rescue(self._link, [worker_id])
                if not clean:
                    self._metrics.crashed()
            except DatabaseUnavailable as error:
                if self._stop.is_set():
                    return  # the lease runs out by itself
                await patience.failed(error)
            else:
                return

    async def _mind_watches(self) -> None:
        """End a process that lets the time of an attempt pass: a handler blocks its event loop."""
        while True:
            await asyncio.sleep(_WATCH_S)
            now = time.monotonic()
            for child in self._children:
                if not child.overdue and child.is_stuck(now):
                    _log.error(
                        "worker_blocked",
                        pid=child.pid,
                        worker_id=child.worker_id,
                        lease_ids=sorted(child.overdue),
                    )
                    child.kill()

    async def _hear(self, child: Child) -> None:
        while (message := await child.control.receive()) is not None:
            match message["kind"]:
                case "hello":
                    await self._register(child, message["types"])
                case "waiting":
                    child.waiting = message["waiting"]
                    self._waiting.set()
                case "tally":
                    self._metrics.merge(message["tally"])
                case "unwell":
                    child.unwell.set()
                case "unfit":
                    child.unfit = message["error"]

    async def _register(self, child: Child, types: list[dict[str, Any]]) -> None:
        patience = Patience("register")
        while True:
            try:
                await self._call("register_types", types=orjson.dumps(types).decode())
                ((worker_id,),) = await self._call(
                    "register_worker",
                    supervisor=self._name,
                    host=socket.gethostname(),
                    pid=child.pid,
                    version=version("pgqueue"),
                    queues=list(self._plan.queues),
                    types=[kind["name"] for kind in types],
                    concurrency=self._plan.concurrency,
                    lease_s=self._settings.lease_s,
                )
            except DatabaseUnavailable as error:
                await patience.failed(error)
            else:
                break
        child.worker_id = worker_id
        child.control.send("registered", worker_id=worker_id)
        _log.info("worker_started", pid=child.pid, worker_id=worker_id, types=len(types))
        if self._stop.is_set():
            child.control.send("drain")
        if child.predecessor is not None and child.predecessor.worker_id is not None:
            child.predecessor.control.send("retire")
            with suppress(DatabaseUnavailable):  # for people to see
                leaving = child.predecessor.worker_id
                await self._call("set_worker_state", worker=leaving, state="draining")
            child.predecessor = None

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
        for child in self._children:
            if child.worker_id is not None:  # a new one looks by itself
                child.control.send("ring", queues=queues)

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
                ((empty,),) = await self._call("queues_empty", queues=queues)
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
