"""The worker processes of a supervisor: started, heard, replaced and buried."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from pgqueue.errors import DatabaseUnavailable, UsageError
from pgqueue_worker.duties.tokens import rescue
from pgqueue_worker.retrying import Patience
from pgqueue_worker.supervisor.overdue import settle_overdue
from pgqueue_worker.supervisor.process_handle import Child
from pgqueue_worker.worker_process import LEASE_LOST

if TYPE_CHECKING:
    from collections.abc import Callable

    from pgqueue.database.link import Link
    from pgqueue.settings import Settings
    from pgqueue_worker.supervisor.metrics import Metrics
    from pgqueue_worker.supervisor.supervisor import Plan

_log = structlog.get_logger("pgqueue.supervisor")

_LAST_WORDS_S = 1.0
_CRASH_LOOP_S = 5.0
_WATCH_S = 0.2


class Place:
    """Where a process is kept running, and the next one when it ends, until it is enough."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.enough = asyncio.Event()
        self.child: Child | None = None

    @property
    def works(self) -> bool:
        """Whether its process is registered: its places are among those of all workers."""
        return self.child is not None and self.child.worker_id is not None

    @property
    def idle(self) -> bool:
        """Whether its process has nothing to do."""
        return self.child is None or self.child.waiting


class Keeper:
    """Keeps a process running in each place, until ``stop`` is set."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        link: Link,
        turn: asyncio.Lock,
        *,
        stop: asyncio.Event,
        on_waiting: Callable[[], None],
        on_deliveries: Callable[[], None],
        each_listens: bool,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._link = link
        self._turn = turn  # whose it is to use the link
        self._stop = stop
        self._on_waiting = on_waiting
        self._on_deliveries = on_deliveries
        self._each_listens = each_listens
        self._crashes = 0
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.children: set[Child] = set()
        self.failed: str | None = None
        """Why no process can run: the app cannot be loaded."""

    async def keep(self, place: Place) -> None:
        """Keep one process running until the drain, and replace it when it asks for that.

        One that is replaced ends by itself, when its attempts have; if the next one is replaced
        before, it is told to drain. One whose place is not wanted any more ends by itself, too.
        """
        enough = asyncio.create_task(place.enough.wait())
        living: dict[asyncio.Task[None], Child] = {}
        predecessor: Child | None = None
        try:
            while not self._stop.is_set() and not place.enough.is_set():
                child = place.child = await self._spawn(place.plan)
                child.predecessor = predecessor
                life = asyncio.create_task(self._live(child))
                living[life] = child
                unwell = asyncio.create_task(child.unwell.wait())
                await asyncio.wait({life, unwell, enough}, return_when=asyncio.FIRST_COMPLETED)
                unwell.cancel()
                if life.done():
                    predecessor = child.predecessor  # the next process will take its place
                elif unwell.done():
                    predecessor = child
                    for older in living.keys() - {life}:
                        living[older].control.send("drain")
                for ended in [life for life in living if life.done()]:
                    del living[ended]
                    ended.result()
            if place.enough.is_set():
                for child in living.values():
                    await self._retire(child)
            if living:
                await asyncio.gather(*living)
        finally:
            enough.cancel()
            for life in living:
                life.cancel()
            await asyncio.gather(*living, return_exceptions=True)

    async def _spawn(self, plan: Plan) -> Child:
        return await Child.spawn(
            {
                "dsn": plan.dsn,
                "app": plan.app,
                "builtin": plan.builtin,
                "queues": list(plan.queues),
                "concurrency": plan.concurrency,
                "delivers": plan.delivers,
                "listens": self._each_listens,
                "poll_s": self._settings.poll_s,
                "lease_s": self._settings.lease_s,
                "grace_s": self._settings.grace_s,
                "stop_grace_s": self._settings.stop_grace_s,
            }
        )

    async def _live(self, child: Child) -> None:
        """See a process through to its end, and settle what it leaves."""
        self.children.add(child)
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
            self.children.discard(child)
        await self._bury(child, status)

    async def _bury(self, child: Child, status: int) -> None:
        if child.unfit is not None:
            self.failed = child.unfit
            self._stop.set()
            return
        if child.worker_id is not None:
            await self._settle(child, child.worker_id, clean=status == 0)
        if self._stop.is_set() or child.overdue:
            return
        if status == 0 and (child.unwell.is_set() or child.retiring):
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

    async def mind_watches(self) -> None:
        """End a process that lets the time of an attempt pass: a handler blocks its event loop."""
        while True:
            await asyncio.sleep(_WATCH_S)
            now = time.monotonic()
            for child in self.children:
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
                    await self._register(child, message["types"], message["declares"])
                case "waiting":
                    child.waiting = message["waiting"]
                    self._on_waiting()
                case "deliveries":
                    self._on_deliveries()
                case "tally":
                    self._metrics.merge(message["tally"])
                case "unwell":
                    child.unwell.set()
                case "unfit":
                    child.unfit = message["error"]

    async def _register(
        self, child: Child, types: list[dict[str, Any]], declares: dict[str, str] | None
    ) -> None:
        patience = Patience("register")
        while True:
            try:
                await self._call("register_types", types=orjson.dumps(types).decode())
                if declares is not None:
                    ((changed,),) = await self._call("declare_schedules", **declares)
                    if changed:
                        _log.info("schedules_declared", changed=changed)
                ((worker_id,),) = await self._call(
                    "register_worker",
                    supervisor=self.name,
                    host=socket.gethostname(),
                    pid=child.pid,
                    version=version("pgqueue"),
                    queues=child.queues,
                    types=[kind["name"] for kind in types],
                    concurrency=child.concurrency,
                    lease_s=self._settings.lease_s,
                )
            except DatabaseUnavailable as error:
                await patience.failed(error)
            except UsageError as error:
                self.failed = str(error)
                self._stop.set()
                child.kill()
                return
            else:
                break
        child.worker_id = worker_id
        child.control.send("registered", worker_id=worker_id)
        _log.info("worker_started", pid=child.pid, worker_id=worker_id, types=len(types))
        if self._stop.is_set():
            child.control.send("drain")
        if child.retiring:
            await self._retire(child)
        if child.predecessor is not None:
            await self._retire(child.predecessor)
            child.predecessor = None

    async def _retire(self, child: Child) -> None:
        """Have a process claim no more, and end when its attempts have."""
        child.retiring = True
        if child.worker_id is None:
            return  # it is told when it registers
        child.control.send("retire")
        with suppress(DatabaseUnavailable):  # for people to see
            await self._call("set_worker_state", worker=child.worker_id, state="draining")

    async def _call(self, query: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        async with self._turn:
            return await self._link.rows(query, parameters)
