"""A worker process: claims, runs and finishes, under a supervisor that heartbeats for it.

The supervisor starts it as ``python -m pgqueue_worker.worker_process FD``. It ends when the line
over that file descriptor does.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import structlog
import uvloop

from pgqueue import logs, telemetry
from pgqueue.database.connection import ANSWER_S
from pgqueue.database.link import Link
from pgqueue.errors import LeaseLost, PgQueueError
from pgqueue.models.task import encode
from pgqueue.models.webhook import QUEUE
from pgqueue.settings import Settings
from pgqueue_worker.apps import load
from pgqueue_worker.attempts.checkpoints import Checkpoints
from pgqueue_worker.attempts.claimer import Claimer
from pgqueue_worker.attempts.deadlines import Deadlines
from pgqueue_worker.attempts.execution import Handling
from pgqueue_worker.attempts.finisher import Finisher
from pgqueue_worker.attempts.hearing import HearingLink
from pgqueue_worker.attempts.reporter import Reporter
from pgqueue_worker.attempts.runner import Runner
from pgqueue_worker.attempts.transaction import Connections
from pgqueue_worker.control import Control
from pgqueue_worker.deadline_table import Watch
from pgqueue_worker.isolation.pool import Pool
from pgqueue_worker.measurements import Tally
from pgqueue_worker.parent import die_with_parent
from pgqueue_worker.webhooks import delivering_app

if TYPE_CHECKING:
    from pgqueue.client.app import PgQueue

_log = structlog.get_logger("pgqueue.worker")

_BUSY_S = 1.0
_ANSWERS_S = {"file": 60.0}  # 16 MiB take a while

LEASE_LOST = 75  # exit status: EX_TEMPFAIL, start another


class _Waiting:
    """Tells the supervisor when this process waits for work, and when it has had enough."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._told = False
        self._since: float | None = None

    def note(self, *, waiting: bool) -> None:
        now = asyncio.get_running_loop().time()
        if waiting:
            self._since = None
            if not self._told:
                self._told = True
                self._control.send("waiting", waiting=True)
        elif self._told:
            if self._since is None:
                self._since = now
            elif now - self._since > _BUSY_S:
                self._told = False
                self._control.send("waiting", waiting=False)


class WorkerProcess:
    """Wires the loops of one process together."""

    def __init__(self, control: Control, start: dict[str, Any], app: PgQueue, pool: Pool) -> None:
        dsn = start["dsn"]
        self._control = control
        self._grace_s: float = start["grace_s"]
        self._unwell = False
        self._leaving = asyncio.Event()  # claim no more
        self._draining = asyncio.Event()  # and be done within the grace
        self._tally = Tally()
        self._deliveries = False  # there are webhooks to send, and the supervisor knows
        self._claim_link = HearingLink(
            dsn,
            "pgqueue worker claim",
            setup="skip_leases",
            on_ring=self._rung if start["listens"] else None,
        )
        self._links: list[Link] = [self._claim_link]
        self._links += [
            Link(dsn, f"pgqueue worker {name}", answer_s=_ANSWERS_S.get(name, ANSWER_S))
            for name in ("finish", "report", "file", "checkpoint")
        ]
        finish_link, report_link, file_link, checkpoint_link = self._links[1:]
        self._checkpoints = Checkpoints(checkpoint_link, self._tally)
        self._connections = Connections(dsn, start["concurrency"])
        self._reporter = Reporter(
            report_link, file_link, self._checkpoints, self._connections, self._tally
        )
        self._finisher = Finisher(finish_link, self._reporter, self._tally, self._make_room)
        self._pool = pool
        watch = Watch(start["watch"], start["concurrency"])
        deadlines = Deadlines(watch)
        self._runner = Runner(
            app.types,
            concurrency=start["concurrency"],
            stop_grace_s=start["stop_grace_s"],
            handling=Handling(
                concurrency=start["concurrency"],
                reporter=self._reporter,
                checkpoints=self._checkpoints,
                pool=self._pool,
                deadlines=deadlines,
            ),
            deadlines=deadlines,
            finisher=self._finisher,
            reporter=self._reporter,
            tally=self._tally,
            on_room=self._make_room,
            on_unwell=self._ask_to_be_replaced,
        )
        self._claimer = Claimer(
            self._claim_link,
            start["worker_id"],
            start["queues"] or [kind.queue for kind in app.types.values()] or ["default"],
            all_queues=not start["queues"],
            poll_s=start["poll_s"],
            lease_s=start["lease_s"],
            runner=self._runner,
            finisher=self._finisher,
            reporter=self._reporter,
            tally=self._tally,
            on_waiting=_Waiting(control).note,
            on_round=watch.came_round,
        )

    async def run(self) -> int:
        """Work until told to drain; gives the exit status."""
        helpers = [
            asyncio.create_task(work)
            for work in (
                self._finisher.run(),
                self._reporter.run(),
                self._runner.reap(),
                self._report_tally(),
            )
        ]
        working = asyncio.create_task(self._work())
        listening = asyncio.create_task(self._obey())
        try:
            must_not_end: list[asyncio.Future[None]] = [self._runner.broken, *helpers]
            watched: list[asyncio.Future[Any]] = [working, listening, *must_not_end]
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            for helper in must_not_end:
                if helper.done():
                    helper.result()  # a loop that must not end did: say why, and die
            if listening.done():
                listening.result()
                return 1
            working.result()
        except LeaseLost as error:
            _log.warning("worker_lost", error=str(error))
            return LEASE_LOST
        finally:
            for task in (working, listening, *helpers):
                task.cancel()
            await asyncio.gather(working, listening, *helpers, return_exceptions=True)
        if counted := self._tally.take():
            self._control.send("tally", tally=counted)
        self._pool.close()
        await self._connections.close()
        for link in self._links:
            await link.close()
        return 0

    async def _work(self) -> None:
        """Claim until told to leave, then see to the end of what is held."""
        claiming = asyncio.create_task(self._claimer.run())
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            await asyncio.wait({claiming, leaving}, return_when=asyncio.FIRST_COMPLETED)
            self._claimer.stop()
            await claiming
        finally:
            claiming.cancel()
            leaving.cancel()
        await self._runner.drain(self._grace_s, self._draining)
        await self._finisher.drained()

    async def _obey(self) -> None:
        while (message := await self._control.receive()) is not None:
            match message:
                case {"kind": "ring", "queues": list(queues)}:
                    self._claimer.ring(queues)
                case {"kind": "cancel", "lease_ids": list(lease_ids)}:
                    for lease_id in lease_ids:
                        self._runner.interrupt(lease_id, "cancel")
                case {"kind": "retire"}:
                    self._leaving.set()
                case {"kind": "drain"}:
                    self._leaving.set()
                    self._draining.set()
                case other:
                    _log.error("message_not_understood", message=other)

    def _rung(self, queues: list[str]) -> None:
        if QUEUE in queues and not self._deliveries:
            self._deliveries = True
            self._control.send("deliveries")
        self._claimer.ring(queues)

    def _ask_to_be_replaced(self) -> None:
        if not self._unwell:
            self._unwell = True
            self._control.send("unwell")

    def _make_room(self) -> None:
        self._claimer.make_room()

    async def _report_tally(self) -> None:
        while True:
            await asyncio.sleep(1)
            if counted := self._tally.take():
                self._control.send("tally", tally=counted)


async def _main(end: socket.socket) -> int:
    control = await Control.over(end)
    start = await control.receive()
    if start is None:
        return 1
    settings = Settings()
    logs.configure(settings.log_format, settings.log_level)
    telemetry.configure("pgqueue-worker")
    try:
        if start["delivers"]:
            app = delivering_app(start["dsn"], settings)
        else:
            app = load(start["app"], builtin=start["builtin"])
    except PgQueueError as error:
        control.send("unfit", error=str(error))
        return 1
    pool = Pool(
        start["app"], builtin=start["builtin"], dsn=start["dsn"], grace_s=start["stop_grace_s"]
    )
    if any(kind.isolation for kind in app.types.values()):
        pool.warm()
    # what sends webhooks is no type that anybody could enqueue
    types = [] if start["delivers"] else [kind.published() for kind in app.types.values()]
    control.send("hello", types=types, declares=_declares(start, app))
    registered = await control.receive()
    if registered is None:
        return 1
    structlog.contextvars.bind_contextvars(worker=f"{socket.gethostname()}:{os.getpid()}")
    process = WorkerProcess(control, {**start, "worker_id": registered["worker_id"]}, app, pool)
    # what is loaded by now lives for ever: the collector need not look at it again
    gc.collect()
    gc.freeze()
    try:
        return await process.run()
    finally:
        telemetry.shutdown()


def _declares(start: dict[str, Any], app: PgQueue) -> dict[str, str] | None:
    """Give the schedules of an app's own code, to be made as they are there."""
    if start["app"] is None or start["delivers"]:
        return None  # it declares none, and takes them from nobody
    schedules = [{"name": name, **new.as_settings()} for name, new in app.declared.items()]
    return {"app": start["app"], "declared": encode(schedules).decode()}


async def _live(end: socket.socket) -> NoReturn:
    """Be a worker process, and end without waiting for handlers that do not stop."""
    status = 1
    try:
        status = await _main(end)
    except Exception:  # noqa: BLE001  the border of a process
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Run on the socket whose file descriptor is the first argument."""
    die_with_parent()
    # the terminal's Ctrl-C reaches the whole group: the supervisor decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    uvloop.run(_live(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
