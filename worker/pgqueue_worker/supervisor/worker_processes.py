"""The worker processes of a supervisor: started, registered, heard, and settled at the end."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import structlog

from pgqueue.errors import DatabaseUnavailable, UsageError
from pgqueue_worker.control import (
    LEASE_LOST,
    Drain,
    Hello,
    Registered,
    Retire,
    Start,
    Unfit,
    Unwell,
    Waiting,
    WebhooksWait,
)
from pgqueue_worker.duties.tokens import rescue
from pgqueue_worker.measurements import Snapshot
from pgqueue_worker.retrying import Patience
from pgqueue_worker.supervisor.overdue import settle_overdue
from pgqueue_worker.supervisor.process_handle import ProcessHandle

if TYPE_CHECKING:
    from collections.abc import Callable

    from pgqueue.database.link import Link
    from pgqueue.settings import Settings
    from pgqueue_worker.supervisor.metrics import Metrics
    from pgqueue_worker.supervisor.plan import Plan

__all__ = ["WorkerProcesses"]

_log = structlog.get_logger("pgqueue.supervisor")

_LAST_MESSAGES_S = 1.0
_CRASH_LOOP_S = 5.0
_LOOK_S = 0.2


class WorkerProcesses:
    """The running processes, and what happens when one ends."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        link: Link,
        turn: asyncio.Lock,
        *,
        stop: asyncio.Event,
        on_waiting: Callable[[], None],
        on_webhooks: Callable[[], None],
        each_listens: bool,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._link = link
        self._turn = turn  # to be held while the link is used
        self._on_waiting = on_waiting
        self._on_webhooks = on_webhooks
        self._each_listens = each_listens
        self._crashes = 0
        self.stop = stop
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.living: set[ProcessHandle] = set()
        self.fits = asyncio.Event()
        """Set when the schema serves this code; until then no process is registered."""
        self.failed: str | None = None
        """Why no process can run: the app cannot be loaded."""
        self.types: list[str] = []
        """The types of the app, once a process has registered."""

    async def spawn(self, plan: Plan) -> ProcessHandle:
        """Start a process; ``see_through`` does the rest."""
        return await ProcessHandle.spawn(
            Start(
                dsn=plan.dsn,
                app=plan.app,
                builtin=plan.builtin,
                queues=list(plan.queues),
                concurrency=plan.concurrency,
                delivers=plan.delivers,
                listens=self._each_listens,
                poll_s=self._settings.poll_s,
                lease_s=self._settings.lease_s,
                grace_s=self._settings.grace_s,
                stop_grace_s=self._settings.stop_grace_s,
            )
        )

    async def see_through(self, process: ProcessHandle) -> None:
        """Listen to a process until it ends, and settle what it leaves."""
        self.living.add(process)
        hearing = asyncio.create_task(self._hear(process))
        try:
            status = await process.process.wait()
            process.kill()  # what its handlers left, which may hold the line open
            # its last messages are still in the line
            await asyncio.wait({hearing}, timeout=_LAST_MESSAGES_S)
        finally:
            process.kill()
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
            self.living.discard(process)
            process.close()
        await self._ended(process, status)

    async def retire(self, process: ProcessHandle) -> None:
        """Have a process claim no more, and end when its attempts have ended."""
        process.retiring = True
        if process.worker_id is None:
            return  # the message is sent when it registers
        process.control.send(Retire())
        with suppress(DatabaseUnavailable):  # the state is for people; nothing depends on it
            await self._call("set_worker_state", worker=process.worker_id, state="draining")

    async def watch_deadlines(self) -> None:
        """Kill a process that misses the deadline of an attempt: a handler blocks its loop."""
        while True:
            await asyncio.sleep(_LOOK_S)
            now = time.monotonic()
            for process in self.living:
                if not process.overdue and process.is_stuck(now):
                    _log.error(
                        "worker_blocked",
                        pid=process.pid,
                        worker_id=process.worker_id,
                        lease_ids=sorted(process.overdue),
                    )
                    process.kill()

    async def _ended(self, process: ProcessHandle, status: int) -> None:
        if process.unfit is not None:
            self.failed = process.unfit
            self.stop.set()
            return
        if process.worker_id is not None:
            await self._settle(process, process.worker_id, clean=status == 0)
        if self.stop.is_set() or process.overdue:
            return
        if status == 0 and (process.unwell.is_set() or process.retiring):
            return
        if status != LEASE_LOST:
            _log.error("worker_died", pid=process.pid, worker_id=process.worker_id, status=status)
        await self._pause_in_crash_loop(process)

    async def _pause_in_crash_loop(self, process: ProcessHandle) -> None:
        lived = asyncio.get_running_loop().time() - process.started_at
        self._crashes = self._crashes + 1 if lived < _CRASH_LOOP_S else 0
        if self._crashes > 1:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(_CRASH_LOOP_S, 0.2 * 2**self._crashes)):
                    await self.stop.wait()

    async def _settle(self, process: ProcessHandle, worker_id: int, *, clean: bool) -> None:
        patience = Patience("rescue")
        while True:
            try:
                async with self._turn:
                    if clean:
                        stopped = {"worker": worker_id, "state": "stopped"}
                        await self._link.rows("set_worker_state", stopped)
                    elif process.overdue:
                        await settle_overdue(self._link, worker_id, process.overdue)
                    else:
                        await rescue(self._link, [worker_id])
                if not clean:
                    self._metrics.crashed()
            except DatabaseUnavailable as error:
                if self.stop.is_set():
                    return  # the lease will run out
                await patience.failed(error)
            else:
                return

    async def _hear(self, process: ProcessHandle) -> None:
        while (message := await process.control.receive()) is not None:
            match message:
                case Hello():
                    await self._register(process, message)
                case Waiting(waiting):
                    process.waiting = waiting
                    self._on_waiting()
                case WebhooksWait():
                    self._on_webhooks()
                case Snapshot():
                    self._metrics.merge(message)
                case Unwell():
                    process.unwell.set()
                case Unfit(error):
                    process.unfit = error

    async def _register(self, process: ProcessHandle, hello: Hello) -> None:
        await self.fits.wait()
        patience = Patience("register")
        while True:
            try:
                process.worker_id = await self._registered(process, hello)
            except DatabaseUnavailable as error:
                await patience.failed(error)
            except UsageError as error:
                self.failed = str(error)
                self.stop.set()
                process.kill()
                return
            else:
                break
        if hello.types != "[]":
            self.types = hello.names
        process.control.send(Registered(process.worker_id))
        _log.info(
            "worker_started",
            pid=process.pid,
            worker_id=process.worker_id,
            types=len(hello.names),
        )
        if self.stop.is_set():
            process.control.send(Drain())
        if process.retiring:
            await self.retire(process)
        if process.predecessor is not None:
            await self.retire(process.predecessor)
            process.predecessor = None

    async def _registered(self, process: ProcessHandle, hello: Hello) -> int:
        await self._call("register_types", types=hello.types)
        if hello.app is not None:
            ((changed,),) = await self._call(
                "declare_schedules", app=hello.app, declared=hello.schedules
            )
            if changed:
                _log.info("schedules_declared", changed=changed)
        ((worker_id,),) = await self._call(
            "register_worker",
            supervisor=self.name,
            host=socket.gethostname(),
            pid=process.pid,
            version=version("pgqueue"),
            queues=process.queues,
            types=hello.names,
            concurrency=process.concurrency,
            lease_s=self._settings.lease_s,
        )
        return int(worker_id)

    async def _call(self, query: str, /, **parameters: object) -> list[tuple[Any, ...]]:
        async with self._turn:
            return await self._link.rows(query, parameters)
