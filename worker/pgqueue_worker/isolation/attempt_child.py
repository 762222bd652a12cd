"""A child that runs attempts, as seen by its worker, which answers the calls of its contexts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pgqueue.errors import LeaseLost, PgQueueError
from pgqueue_worker.isolation.child_process import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pgqueue.handlers.context import Context
    from pgqueue_worker.isolation.fork_client import ForkClient
    from pgqueue_worker.isolation.messages import Message
    from pgqueue_worker.reports.completion import Completion
    from pgqueue_worker.reports.reporter import Reporter

_START_S = 60.0

Answer = tuple["Message", bytes]


class ChildEnded(Exception):
    """A child ended before it could run anything; ``status`` is its exit status."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"status {status}")
        self.status = status


class AttemptChild:
    """Runs one attempt at a time."""

    def __init__(self, process: ChildProcess) -> None:
        self.process = process
        self._calls: set[asyncio.Task[None]] = set()
        self._completion: Completion | None = None

    @classmethod
    async def start(cls, client: ForkClient, start: Message) -> AttemptChild:
        """Return a child that has imported its app; raise ``ChildEnded`` when it cannot."""
        process = await ChildProcess.fork(client)
        process.send({"kind": "attempts", **start})
        try:
            async with asyncio.timeout(_START_S):
                await process.receive()  # ready
        except (TimeoutError, OSError, ValueError, asyncio.IncompleteReadError):
            raise ChildEnded(await process.reap()) from None
        except BaseException:
            process.kill()
            raise
        return cls(process)

    async def attend(
        self, context: Context, reporter: Reporter, started: Callable[[], None]
    ) -> Answer | None:
        """Answer the handler's calls until it ends; return ``None`` when the child is gone."""
        try:
            while True:
                message, blob = await self.process.receive()
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
            return None  # gone, or no longer sane

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
        details = error and {"code": error.code, "message": error.message, "hint": error.hint}
        reply = {"kind": "reply", "id": id, "error": details}
        if isinstance(answer, bytes):
            self.process.send({**reply, "blob": True}, answer)
        else:
            self.process.send({**reply, "answer": answer})
