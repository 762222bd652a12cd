"""A worker process: claims, runs and finishes, under a supervisor that sends its heartbeats.

The supervisor starts it as ``python -m pgqueue_worker.worker_process FD``. It ends when the other
end of that file descriptor is closed.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import structlog
import uvloop

from pgqueue import logs, telemetry
from pgqueue.database import options
from pgqueue.database.link import Link
from pgqueue.database.options import Options
from pgqueue.errors import LeaseLost, PgQueueError
from pgqueue.handlers.task_type import prepared
from pgqueue.models.values import encode
from pgqueue.models.webhook import QUEUE
from pgqueue.processes import stop_signals
from pgqueue.settings import Settings
from pgqueue_worker import signals
from pgqueue_worker.apps import load
from pgqueue_worker.attempts.claimer import Claimer
from pgqueue_worker.attempts.deadlines import Deadlines
from pgqueue_worker.attempts.execution import Execution
from pgqueue_worker.attempts.finisher import Finisher
from pgqueue_worker.attempts.runner import Runner
from pgqueue_worker.attempts.timeouts import TimeoutEnforcer
from pgqueue_worker.control import (
    LEASE_LOST,
    Cancel,
    Control,
    Drain,
    Hello,
    Registered,
    Retire,
    Ring,
    Start,
    Unfit,
    Unwell,
    Waiting,
    WebhooksWait,
)
from pgqueue_worker.deadline_table import DeadlineTable
from pgqueue_worker.forks import end_copies
from pgqueue_worker.isolation.pool import Pool
from pgqueue_worker.loops import run_through
from pgqueue_worker.measurements import Measurements
from pgqueue_worker.parent import die_with_parent
from pgqueue_worker.reports.checkpoints import Checkpoints
from pgqueue_worker.reports.files import Files
from pgqueue_worker.reports.loop_bridge import LoopBridge
from pgqueue_worker.reports.outbox import Outbox
from pgqueue_worker.reports.reporter import Reporter
from pgqueue_worker.reports.transaction_pools import TransactionPools
from pgqueue_worker.webhooks import delivering_app

if TYPE_CHECKING:
    from pgqueue.client.app import PgQueue
    from pgqueue_worker.control import Line

__all__ = ["WorkerProcess", "main"]

_log = structlog.get_logger("pgqueue.worker")

_BUSY_S = 1.0
_MEASURED_S = 1.0
_FILE_ANSWER_S = 60.0  # 16 MiB take a while


class _Waits:
    """Tells the supervisor when this process waits for work, and when it has been busy again."""

    def __init__(self, control: Line) -> None:
        self._control = control
        self._reported_waiting = False
        self._busy_since: float | None = None

    def note(self, *, waiting: bool) -> None:
        now = asyncio.get_running_loop().time()
        if waiting:
            self._busy_since = None
            if not self._reported_waiting:
                self._reported_waiting = True
                self._control.send(Waiting(waiting=True))
        elif self._reported_waiting:
            if self._busy_since is None:
                self._busy_since = now
            elif now - self._busy_since > _BUSY_S:
                self._reported_waiting = False
                self._control.send(Waiting(waiting=False))


class WorkerProcess:
    """Wires the loops of one process together."""

    def __init__(
        self, control: Line, start: Start, worker_id: int, app: PgQueue, pool: Pool
    ) -> None:
        self._control = control
        self._start = start
        self._pool = pool
        self._asked_to_be_replaced = False
        self._webhooks_wait = False  # the supervisor knows it, too
        self._leaving = asyncio.Event()  # claim no more
        self._draining = asyncio.Event()  # and end within the grace
        self._links: list[Link] = []
        self._measurements = Measurements()
        self._outbox = Outbox(self._link("report"), self._measurements)
        self._transaction_pools = TransactionPools(start.dsn, start.concurrency)
        checkpoints = Checkpoints(self._link("checkpoint"), self._measurements)
        files = Files(self._link("file", answer_s=_FILE_ANSWER_S))
        reporter = Reporter(
            LoopBridge(), self._outbox, files, checkpoints, self._transaction_pools, functions=pool
        )
        self._finisher = Finisher(
            self._link("finish"), self._outbox, self._measurements, self._make_room
        )
        table = DeadlineTable(start.deadlines, start.concurrency)
        self._run_attempts(app, reporter, checkpoints, Deadlines(table))
        self._claimer = self._claims(worker_id, app, table)

    def _link(self, purpose: str, *, answer_s: float | None = None) -> Link:
        timeouts = options.Timeouts(answer_s=answer_s)
        link = Link(self._start.dsn, Options(f"pgqueue worker {purpose}", timeouts))
        self._links.append(link)
        return link

    def _run_attempts(
        self, app: PgQueue, reporter: Reporter, checkpoints: Checkpoints, deadlines: Deadlines
    ) -> None:
        start = self._start
        execution = Execution(
            concurrency=start.concurrency,
            reporter=reporter,
            checkpoints=checkpoints,
            pool=self._pool,
            deadlines=deadlines,
            isolates_suspects=self._pool.has_app,
        )
        self._runner = Runner(
            app.types,
            concurrency=start.concurrency,
            stop_grace_s=start.stop_grace_s,
            execution=execution,
            deadlines=deadlines,
            finisher=self._finisher,
            reporter=reporter,
            measurements=self._measurements,
            on_room=self._make_room,
            on_unwell=self._ask_to_be_replaced,
        )
        self._timeouts = TimeoutEnforcer(
            self._runner, execution, deadlines, stop_grace_s=start.stop_grace_s
        )

    def _claims(self, worker_id: int, app: PgQueue, table: DeadlineTable) -> Claimer:
        start = self._start
        claims = Options(
            "pgqueue worker claim",
            setup="skip_leases",
            listen="listen_ready" if start.listens else "",
            on_notify=self._rung,
        )
        link = Link(start.dsn, claims)
        self._links.append(link)
        return Claimer(
            link,
            worker_id,
            start.queues or [kind.queue for kind in app.types.values()] or ["default"],
            all_queues=not start.queues,
            poll_s=start.poll_s,
            lease_s=start.lease_s,
            runner=self._runner,
            finisher=self._finisher,
            outbox=self._outbox,
            measurements=self._measurements,
            on_waiting=_Waits(self._control).note,
            on_round=table.came_round,
        )

    async def run(self) -> int:
        """Work until told to drain; return the exit status."""
        helpers = [
            asyncio.create_task(work)
            for work in (
                self._finisher.run(),
                self._outbox.run(),
                self._timeouts.run(),
                self._send_measurements(),
            )
        ]
        working = asyncio.create_task(self._work())
        obeying = asyncio.create_task(self._obey())
        try:
            must_not_end: list[asyncio.Future[None]] = [self._runner.broken, *helpers]
            watched: list[asyncio.Future[Any]] = [working, obeying, *must_not_end]
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            for helper in must_not_end:
                if helper.done():
                    helper.result()  # a loop that must not end did: say why, and end
            if obeying.done():
                obeying.result()
                return 1
            working.result()
        except LeaseLost as error:
            _log.warning("worker_lost", error=str(error))
            return LEASE_LOST
        finally:
            for task in (working, obeying, *helpers):
                task.cancel()
            await asyncio.gather(working, obeying, *helpers, return_exceptions=True)
        if measured := self._measurements.take():
            self._control.send(measured)
        await self._pool.close()
        await self._transaction_pools.close()
        for link in self._links:
            await link.close()
        return 0

    async def _work(self) -> None:
        """Claim until told to leave, then wait for the end of the attempts that it holds."""
        claiming = asyncio.create_task(self._claimer.run())
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            await asyncio.wait({claiming, leaving}, return_when=asyncio.FIRST_COMPLETED)
            self._claimer.stop()
            await claiming
        finally:
            claiming.cancel()
            leaving.cancel()
        await self._runner.drain(self._start.grace_s, self._draining)
        await self._finisher.drained()

    async def _obey(self) -> None:
        while (message := await self._control.receive()) is not None:
            match message:
                case Ring(queues):
                    self._claimer.ring(queues)
                case Cancel(lease_ids):
                    for lease_id in lease_ids:
                        self._runner.cancel(lease_id)
                case Retire():
                    self._leaving.set()
                case Drain():
                    self._leaving.set()
                    self._draining.set()
                case other:
                    _log.error("message_not_understood", message=repr(other))

    def _rung(self, payload: str) -> None:
        queues = payload.split(",") if payload else []  # empty: look at all queues
        if QUEUE in queues and not self._webhooks_wait:
            self._webhooks_wait = True
            self._control.send(WebhooksWait())
        self._claimer.ring(queues)

    def _ask_to_be_replaced(self) -> None:
        if not self._asked_to_be_replaced:
            self._asked_to_be_replaced = True
            self._control.send(Unwell())

    def _make_room(self) -> None:
        self._claimer.make_room()

    async def _send_measurements(self) -> None:
        while True:
            await asyncio.sleep(_MEASURED_S)
            if measured := self._measurements.take():
                self._control.send(measured)


async def _main(end: socket.socket) -> int:
    control = await Control.over(end)
    start = await control.receive()
    if not isinstance(start, Start):
        return 1
    settings = Settings()
    logs.configure(settings.log_format, settings.log_level)
    telemetry.configure("pgqueue-worker")
    try:
        if start.delivers:
            app = delivering_app(start.dsn, settings)
        else:
            app = load(start.app, builtin=start.builtin)
        hello = _hello(start, app)
    except PgQueueError as error:
        control.send(Unfit(str(error)))
        return 1
    pool = Pool(start.app, builtin=start.builtin, dsn=start.dsn, grace_s=start.stop_grace_s)
    pool.warm(app.types.values())
    control.send(hello)
    registered = await control.receive()
    if not isinstance(registered, Registered):
        return 1
    structlog.contextvars.bind_contextvars(worker=f"{socket.gethostname()}:{os.getpid()}")
    process = WorkerProcess(control, start, registered.worker_id, app, pool)
    # what is loaded by now stays for the life of the process, so the garbage collector can ignore
    # it
    gc.collect()
    gc.freeze()
    try:
        return await process.run()
    finally:
        telemetry.shutdown()


def _hello(start: Start, app: PgQueue) -> Hello:
    """Return what this process runs, and the schedules that the app's own code declares."""
    if start.delivers:  # the type that sends webhooks is not one that anybody could enqueue
        return Hello(types="[]", names=list(app.types))
    types = encode([kind.published() for kind in app.types.values()]).decode()
    if start.app is None:
        return Hello(types=types, names=list(app.types))
    schedules = [
        {"name": name, **new.as_settings(), "payload": prepared(app.types, new.type, new.given)}
        for name, new in app.declared.items()
    ]
    return Hello(
        types=types,
        names=list(app.types),
        app=start.app,
        schedules=encode(schedules).decode(),
    )


async def _live(end: socket.socket) -> NoReturn:
    """Run as a worker process, and end without waiting for handlers that do not stop."""
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
    # service managers signal every process of a service: the supervisor decides
    signals.disregard(*stop_signals())
    end_copies()
    loop = uvloop.new_event_loop()
    run_through(loop, loop.create_task(_live(socket.socket(fileno=int(sys.argv[1])))))


if __name__ == "__main__":
    main()
