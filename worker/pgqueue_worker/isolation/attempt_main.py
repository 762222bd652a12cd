"""In a child: imports the app, then runs one attempt after another on its main thread.

SIGTERM asks the handler to stop: ``asyncio.CancelledError`` is raised in it, whether it is async or
plain. The worker kills a child that has not answered within the grace.
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
    threading.Thread(
        target=_receive, args=(messages, reporter, inbox), name="pgqueue-receive", daemon=True
    ).start()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        handlers = _Handlers(app, reporter, runner.get_loop())
        messages.send({"kind": "ready"})
        while True:
            message, remembered = inbox.get()
            messages.send({"kind": "started"})
            answer, result = handlers.run(message, remembered)
            messages.send({"kind": "end", **answer}, result)


def _receive(
    messages: MessageSocket, reporter: RemoteReporter, inbox: SimpleQueue[tuple[Message, bytes]]
) -> None:
    while True:
        try:
            message, blob = messages.receive()
        except (EOFError, OSError):
            os.killpg(0, signal.SIGKILL)  # the worker is gone, so nobody needs the result
        if message["kind"] == "reply":
            reporter.answered(message, blob)
        else:
            inbox.put((message, blob))


class _Handlers:
    """Runs handlers, one at a time, and raises in them when the worker asks to stop."""

    def __init__(
        self, app: PgQueue, reporter: RemoteReporter, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._app = app
        self._reporter = reporter
        self._loop = loop
        self._inside = False
        self._running: asyncio.Task[Any] | None = None
        signal.signal(signal.SIGTERM, self._asked_to_stop)

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
            value, error = self._call(kind, context, payload)
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
        self, kind: TaskType, context: Context, payload: Any
    ) -> tuple[Any, BaseException | None]:
        self._inside = True
        try:
            value = kind.call(context, payload)
            end_copy()
            if not inspect.isawaitable(value):
                return value, None
            # the variables are those of this thread, which a decorator may have set
            variables = contextvars.copy_context()
            running = self._loop.create_task(self._awaited(value), context=variables)
            return run_through(self._loop, running)
        except BaseException as error:  # noqa: BLE001  the border: a handler may raise anything
            end_copy(error)
            return None, error
        finally:
            self._inside = False

    async def _awaited(self, handler: Any) -> tuple[Any, BaseException | None]:
        self._running = asyncio.current_task()
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

    def _asked_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        """Interrupt what runs; between attempts there is nothing to interrupt."""
        if not self._inside:
            return
        task = self._running
        if task is not None and asyncio.current_task(task.get_loop()) is None:
            task.get_loop().call_soon_threadsafe(task.cancel)
        else:  # a plain function, or a coroutine that does not give way
            raise asyncio.CancelledError
