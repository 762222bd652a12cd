"""A child as its worker sees it, from fork to exit."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pgqueue.errors import LeaseLost, PgQueueError
from pgqueue_worker.isolation.wire import Message, framed, read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pgqueue.handlers.context import Context
    from pgqueue_worker.isolation.nursery import Forked, Nursery
    from pgqueue_worker.reports.completion import Completion
    from pgqueue_worker.reports.reporter import Reporter

_START_S = 60.0
_BURIED_S = 5.0

Answer = tuple[Message, bytes]


class ChildEnded(Exception):
    """A child ended before it could run anything; ``status`` is its exit status."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"status {status}")
        self.status = status


class IsolatedProcess:
    """Runs one attempt at a time."""

    def __init__(
        self, forked: Forked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.pid = forked.pid
        self.ended = forked.ended
        self._reader = reader
        self._writer = writer
        self._calls: set[asyncio.Task[None]] = set()
        self._completion: Completion | None = None

    @classmethod
    async def start(cls, nursery: Nursery, start: Message) -> IsolatedProcess:
        """Give a child that has imported its app; ``ChildEnded`` when it cannot."""
        forked = await nursery.fork()
        child = cls(forked, *await asyncio.open_connection(sock=forked.end))
        child.send({"kind": "start", **start})
        try:
            async with asyncio.timeout(_START_S):
                await read(child._reader)  # ready
        except (TimeoutError, OSError, ValueError, asyncio.IncompleteReadError):
            raise ChildEnded(await child.bury()) from None
        except BaseException:
            child.kill()
            raise
        return child

    def send(self, message: Message, blob: bytes = b"") -> None:
        """Send; what a child that is gone does not get is forgotten."""
        if not self._writer.is_closing():
            self._writer.write(framed(message, blob))

    async def attend(
        self, context: Context, reporter: Reporter, started: Callable[[], None]
    ) -> Answer | None:
        """Do what the handler asks for until it has ended; ``None`` when the child is gone."""
        try:
            while True:
                message, blob = await read(self._reader)
                match message:
                    case {"kind": "started"}:
                        started()
                    case {"kind": "end"}:
                        return message, blob
                    case {"lease_id": context.lease_id}:
                        self._call(reporter, context, message, blob)
                    case {"id": int(id)}:  # a thread that an earlier attempt has left behind
                        self._tell(id, LeaseLost("the attempt has ended"))
        except (asyncio.IncompleteReadError, OSError, ValueError, TypeError):
            return None  # gone, or out of its mind

    def terminate(self) -> None:
        """Ask the handler to stop."""
        if not self.ended.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it, and everything that it started."""
        self._writer.close()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if not self.ended.done():  # it may not lead its group yet
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def bury(self) -> int | None:
        """Kill it and give the exit status that it had or got, if that becomes known."""
        if self._reader.at_eof() or self._reader.exception():
            await asyncio.wait({self.ended}, timeout=0.5)  # it is ending: by what, is the question
        self.kill()
        await asyncio.wait({self.ended}, timeout=_BURIED_S)
        return self.ended.result() if self.ended.done() else None

    def _call(self, reporter: Reporter, context: Context, message: Message, blob: bytes) -> None:
        match message:
            case {"kind": "progress" | "event" | "text" as call, "arguments": dict(given)}:
                getattr(reporter, call)(context, **given)
            case {"kind": "save_artifact", "arguments": dict(given), "id": int(id)}:
                self._answer(id, reporter.save_artifact(context, data=blob, **given))
            case {"kind": "save_checkpoint", "arguments": dict(given), "id": int(id)}:
                self._answer(id, reporter.save_checkpoint(context, data=blob, **given))
            case {
                "kind": "find_artifact" | "read_artifact" as call,
                "arguments": dict(given),
                "id": int(id),
            }:
                found = getattr(reporter, call)(context, **given)
                self._answer(id, asyncio.wrap_future(found))
            case {"kind": "load_parents", "id": int(id)}:
                self._answer(id, reporter.load_parents(context))
            case {"kind": "settle", "id": int(id)}:
                self._answer(id, self._settle(reporter, context))
            case {"kind": "completed", "arguments": dict(given)} if self._completion:
                self._completion.completed(**given)
            case {"kind": "not_completed"} if self._completion:
                self._completion.not_completed()

    async def _settle(self, reporter: Reporter, context: Context) -> str | None:
        self._completion = reporter.completion(context)
        return await self._completion.settle()

    def _answer(self, id: int, call: Awaitable[Any]) -> None:
        answering = asyncio.create_task(self._answered(id, call))
        self._calls.add(answering)
        answering.add_done_callback(self._calls.discard)

    async def _answered(self, id: int, call: Awaitable[Any]) -> None:
        try:
            answer = await call
        except PgQueueError as error:
            self._tell(id, error)
        else:
            self._tell(id, answer=answer)

    def _tell(self, id: int, error: PgQueueError | None = None, answer: Any = None) -> None:
        told = error and {"code": error.code, "message": error.message, "hint": error.hint}
        reply = {"kind": "reply", "id": id, "error": told}
        if isinstance(answer, bytes):
            self.send({**reply, "blob": True}, answer)
        else:
            self.send({**reply, "answer": answer})
