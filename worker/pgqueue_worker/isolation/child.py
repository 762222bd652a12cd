"""A child: imports the app, then runs one attempt after another on its main thread.

SIGTERM asks the handler to stop: ``asyncio.CancelledError`` is raised in it, whether it is async or
plain. The worker kills a child that has not answered within the grace.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NoReturn

import orjson
import structlog
import uvloop

from pgqueue import logs, telemetry
from pgqueue.handlers import ending as endings
from pgqueue.handlers.failure import describe
from pgqueue.settings import Settings
from pgqueue_worker.apps import load
from pgqueue_worker.isolation.remote import Remote
from pgqueue_worker.isolation.wire import Message, Wire
from pgqueue_worker.lease import ClaimedTask, Lease
from pgqueue_worker.parent import die_with_parent

if TYPE_CHECKING:
    from types import FrameType

    from pgqueue.client.app import PgQueue
    from pgqueue.handlers.context import Context
    from pgqueue.handlers.task_type import TaskType

_OOM_SCORE = 900  # the kernel takes a child before its worker or PostgreSQL


def live(end: socket.socket) -> NoReturn:
    """Be a child until the worker is gone; never returns to the forker's code."""
    status = 1
    try:
        os.setsid()  # a group of its own: what a handler starts is killed with it
        die_with_parent()
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE))
        _serve(Wire(end))
        status = 0
    except EOFError:
        status = 0
    except BaseException as error:  # noqa: BLE001  the border of a process
        structlog.get_logger("pgqueue.worker").error("child_broke", **describe(error))
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _serve(wire: Wire) -> None:
    start, _ = wire.receive()
    settings = Settings()
    logs.configure(settings.log_format, settings.log_level)
    telemetry.configure("pgqueue-worker")
    structlog.contextvars.bind_contextvars(worker=f"{socket.gethostname()}:{os.getpid()}")
    app = load(start["app"], builtin=start["builtin"])
    remote = Remote(wire, start["dsn"])
    inbox: SimpleQueue[tuple[Message, bytes]] = SimpleQueue()
    threading.Thread(
        target=_listen, args=(wire, remote, inbox), name="pgqueue-line", daemon=True
    ).start()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        handlers = _Handlers(app, remote, runner)
        wire.send({"kind": "ready"})
        while True:
            message, remembered = inbox.get()
            wire.send({"kind": "started"})
            answer, result = handlers.run(message, remembered)
            wire.send({"kind": "end", **answer}, result)


def _listen(wire: Wire, remote: Remote, inbox: SimpleQueue[tuple[Message, bytes]]) -> None:
    while True:
        try:
            message, blob = wire.receive()
        except (EOFError, OSError):
            os.killpg(0, signal.SIGKILL)  # the worker is gone, and what we do is for nobody
        if message["kind"] == "reply":
            remote.answered(message, blob)
        else:
            inbox.put((message, blob))


class _Handlers:
    """Runs handlers, one at a time, and raises in them when the worker asks to stop."""

    def __init__(self, app: PgQueue, remote: Remote, runner: asyncio.Runner) -> None:
        self._app = app
        self._remote = remote
        self._runner = runner
        self._inside = False
        self._running: asyncio.Task[Any] | None = None
        signal.signal(signal.SIGTERM, self._asked_to_stop)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def run(self, message: Message, remembered: bytes) -> tuple[Message, bytes]:
        """Run one attempt: gives how it ended, and its result as JSON.

        ``remembered`` is what earlier attempts left, as JSON.
        """
        lease = Lease.claimed(ClaimedTask._make(message["task"]), 0.0)
        kind = self._app.types[lease.task.type]
        payload, refusal = endings.decoded(lease.task.payload, kind)
        if refusal is not None:
            return {"ending": refusal.as_json()}, b""
        with (
            telemetry.span_from(message["traceparent"], f"isolated {lease.task.type}"),
            _memory(kind.memory_limit),
        ):
            context = lease.context(self._remote, orjson.loads(remembered or b"null"))
            value, error = self._call(kind, context, payload)
        if error is not None:
            ending = endings.raised(error, kind)
            answer: Message = {"ending": ending.as_json()}
            if isinstance(error, asyncio.CancelledError):
                answer["interrupted"] = ending.error
            answer["spoilt"] = isinstance(error, MemoryError)
            return answer, b""
        try:
            ending = endings.returned(value)
        except BaseException as unreadable:  # noqa: BLE001  as are its parts
            return {"ending": endings.raised(unreadable, kind).as_json()}, b""
        return {"ending": replace(ending, result=None).as_json()}, ending.result or b""

    def _call(
        self, kind: TaskType, context: Context, payload: Any
    ) -> tuple[Any, BaseException | None]:
        self._inside = True
        try:
            if kind.is_async:
                return self._runner.run(self._awaited(kind.call(context, payload)))
            return kind.call(context, payload), None
        except BaseException as error:  # noqa: BLE001  the border: a handler may raise anything
            return None, error
        finally:
            self._inside = False

    async def _awaited(self, handler: Any) -> tuple[Any, BaseException | None]:
        self._running = asyncio.current_task()
        try:
            return await handler, None
        except BaseException as error:  # noqa: BLE001  as above
            return None, error
        finally:
            self._running = None

    def _asked_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        """Interrupt what runs; between attempts there is nothing to interrupt."""
        if not self._inside:
            return
        task = self._running
        if task is not None and asyncio.current_task(task.get_loop()) is None:
            task.get_loop().call_soon_threadsafe(task.cancel)
        else:  # a plain function, or a coroutine that does not give way
            raise asyncio.CancelledError


class _memory:  # noqa: N801  reads as what it does
    """Bound this process's memory for a while.

    RLIMIT_DATA counts what a process can write to and has to itself: its heap and anonymous
    memory. RLIMIT_AS would count reservations and mapped files as well, 64 MB for each thread's
    arena among them, and so forbid what costs nothing.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit

    def __enter__(self) -> None:
        if self._limit is not None:
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            resource.setrlimit(resource.RLIMIT_DATA, (self._limit, hard))

    def __exit__(self, *error: object) -> None:
        if self._limit is not None:
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
