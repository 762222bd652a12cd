"""In a child: imports the app, then runs one attempt after another on its main thread.

The worker asks an attempt to stop by a message that names its lease, so that none is missed that
comes before the handler has started. The thread that receives it signals the main thread, where
``asyncio.CancelledError`` is raised in the handler, whether it is async or plain. A SIGTERM from
elsewhere does nothing. The worker kills a child that has not answered within the grace.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import signal
import socket
import threading
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import orjson
import structlog
import uvloop

from pgqueue import logs, telemetry
from pgqueue.handlers import ending as endings
from pgqueue_worker.apps import load
from pgqueue_worker.forks import end_copy
from pgqueue_worker.isolation.remote_reporter import RemoteReporter
from pgqueue_worker.isolation.rlimits import limited
from pgqueue_worker.lease import ClaimedTask, Lease
from pgqueue_worker.loops import run_through

if TYPE_CHECKING:
    from types import FrameType

    from pgqueue.client.app import PgQueue
    from pgqueue.handlers.context import Context
    from pgqueue.handlers.task_type import TaskType
    from pgqueue_worker.isolation.messages import Message, MessageSocket


def run(messages: MessageSocket, start: Message) -> None:
    """Run attempts until the worker is gone."""
    logs.configure(start["log_format"], start["log_level"])
    telemetry.configure("pgqueue-worker")
    structlog.contextvars.bind_contextvars(worker=f"{socket.gethostname()}:{os.getpid()}")
    app = load(start["app"], builtin=start["builtin"])
    reporter = RemoteReporter(messages, start["dsn"])
    inbox: SimpleQueue[tuple[Message, bytes]] = SimpleQueue()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        handlers = _Handlers(app, reporter, runner.get_loop())
        threading.Thread(
            target=_receive,
            args=(messages, reporter, handlers, inbox),
            name="pgqueue-receive",
            daemon=True,
        ).start()
        messages.send({"kind": "ready"})
        while True:
            message, remembered = inbox.get()
            messages.send({"kind": "started"})
            answer, result = handlers.run(message, remembered)
            messages.send({"kind": "end", **answer}, result)


def _receive(
    messages: MessageSocket,
    reporter: RemoteReporter,
    handlers: _Handlers,
    inbox: SimpleQueue[tuple[Message, bytes]],
) -> None:
    while True:
        try:
            message, blob = messages.receive()
        except (EOFError, OSError):
            os.killpg(0, signal.SIGKILL)  # the worker is gone, so nobody needs the result
        match message["kind"]:
            case "reply":
                reporter.answered(message, blob)
            case "stop":
                handlers.stop(message["lease_id"])
            case _:
                inbox.put((message, blob))


class _Handlers:
    """Runs handlers, one at a time, and raises in them when the worker asks to stop."""

    def __init__(
        self, app: PgQueue, reporter: RemoteReporter, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._app = app
        self._reporter = reporter
        self._loop = loop
        self._lease_id: int | None = None
        self._stopped: int | None = None
        self._calling = False  # an error that is raised now is raised in the handler
        self._running: asyncio.Task[Any] | None = None

    def stop(self, lease_id: int) -> None:
        """Interrupt the attempt with this lease, before or after it starts. For other threads."""
        self._stopped = lease_id
        if self._lease_id == lease_id:  # else the main thread looks before it calls the handler
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    def run(self, message: Message, remembered: bytes) -> tuple[Message, bytes]:
        """Run one attempt; return how it ended, and its result as JSON.

        ``remembered`` is what earlier attempts left, as JSON.
        """
        lease = Lease.claimed(ClaimedTask._make(message["task"]), 0.0)
        kind = self._app.types[lease.task.type]
        payload, refusal = endings.decoded(lease.task.payload, kind)
        if refusal is not None:
            return {"ending": refusal.as_json()}, b""
        with (
            telemetry.span_from(message["traceparent"], f"isolated {lease.task.type}"),
            limited(kind.limits),
        ):
            context = lease.context(self._reporter, orjson.loads(remembered or b"null"))
            value, error = self._call(kind, context, payload, lease.task.lease_id)
        if error is not None:
            ending = endings.raised(error, kind)
            answer: Message = {"ending": ending.as_json()}
            if isinstance(error, asyncio.CancelledError):
                answer["interrupted"] = ending.error
            answer["spoilt"] = isinstance(error, MemoryError)
            return answer, b""
        try:
            ending = endings.returned(value, kind)
        except BaseException as unreadable:  # noqa: BLE001  as are its parts
            return {"ending": endings.raised(unreadable, kind).as_json()}, b""
        return {"ending": replace(ending, result=None).as_json()}, ending.result or b""

    def _call(
        self, kind: TaskType, context: Context, payload: Any, lease_id: int
    ) -> tuple[Any, BaseException | None]:
        try:
            signal.signal(signal.SIGTERM, self._interrupt)  # a handler may have changed it
            self._lease_id = lease_id
            if self._stopped == lease_id:
                return None, asyncio.CancelledError()
            self._calling = True
            value = kind.call(context, payload)
            self._calling = False
            end_copy()
            if not inspect.isawaitable(value):
                return value, None
            # the variables are those of this thread, which a decorator may have set
            variables = contextvars.copy_context()
            running = self._loop.create_task(self._awaited(value), context=variables)
            self._running = running
            if self._stopped == lease_id:  # by a signal that came before there was a task
                self._loop.call_soon(running.cancel)
            return run_through(self._loop, running)
        except BaseException as error:  # noqa: BLE001  the border: a handler may raise anything
            end_copy(error)
            return None, error
        finally:
            self._lease_id = self._running = None
            self._calling = False

    async def _awaited(self, handler: Any) -> tuple[Any, BaseException | None]:
        try:
            value = await endings.awaited(handler)
        except BaseException as error:  # noqa: BLE001  as above
            end_copy(error)
            return None, error
        else:
            end_copy()
            return value, None
        finally:
            self._running = None

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Interrupt what runs, if that was asked for."""
        if self._lease_id is None or self._lease_id != self._stopped:
            return
        task = self._running
        if task is None:
            if self._calling:  # a plain function
                raise asyncio.CancelledError
        elif asyncio.current_task(task.get_loop()) is None:
            task.get_loop().call_soon_threadsafe(task.cancel)
        else:  # a coroutine that does not give way
            raise asyncio.CancelledError
