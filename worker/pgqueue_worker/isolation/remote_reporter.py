"""The reporting side of contexts in a child: every call goes to the worker."""

from __future__ import annotations

import asyncio
import itertools
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from pgqueue.errors import UsageError, named
from pgqueue.handlers.context import RECORDED
from pgqueue.handlers.failure import clean
from pgqueue_worker.reports.outbox import storable
from pgqueue_worker.reports.transaction import Transaction
from pgqueue_worker.reports.transaction_pools import TransactionPools

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from pgqueue.handlers.artifacts import ArtifactFacts, ArtifactKey
    from pgqueue.handlers.context import Context
    from pgqueue.handlers.isolation import IsolatedCall
    from pgqueue_worker.isolation.messages import Message, MessageSocket


class ReportSender:
    """Sends what needs no answer; callable from any thread."""

    def __init__(self, messages: MessageSocket) -> None:
        self._messages = messages

    def progress(self, context: Context, percent: float, message: str | None) -> None:
        """Take the latest progress."""
        text = None if message is None else clean(message)
        self.tell(context, "progress", percent=percent, message=text)

    def event(self, context: Context, level: str, message: str, data: dict[str, Any]) -> None:
        """Take a log line."""
        self.tell(context, "event", level=level, message=clean(message), data=storable(data))

    def text(self, context: Context, text: str) -> None:
        """Take a piece of text."""
        self.tell(context, "text", text=clean(text))

    def tell(self, context: Context, call: str, **arguments: Any) -> None:
        """Send the worker a call without an answer."""
        self._messages.send({"kind": call, "lease_id": context.lease_id, "arguments": arguments})


class RemoteReporter(ReportSender):
    """The ``Reporter`` of an attempt in a child; callable from any thread.

    ``dsn`` is ``None`` where the child has no connection string.
    """

    def __init__(self, messages: MessageSocket, dsn: str | None) -> None:
        super().__init__(messages)
        self._transaction_pools = None if dsn is None else TransactionPools(dsn, 1)
        self._ids = itertools.count(1)
        self._asked: dict[int, Future[Any]] = {}

    def save_artifact(
        self, context: Context, name: str, data: bytes, content_type: str
    ) -> Awaitable[None]:
        """Save a file; in a plain function it is durable when this returns."""
        return self._ask(
            context, "save_artifact", bytes(data), name=name, content_type=content_type
        )

    def save_checkpoint(self, context: Context, name: str, data: bytes) -> Awaitable[None]:
        """Save a checkpoint; in a plain function it is durable when this returns."""
        return self._ask(context, "save_checkpoint", data, name=name)

    def load_parents(self, context: Context) -> Any:
        """Read the results of the parents; in a plain function this returns them."""
        answer = self.ask(context, "load_parents")
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # in a plain function, or in a thread
            return answer.result()
        return asyncio.wrap_future(answer, loop=loop)

    def transaction(self, context: Context) -> Transaction:
        """Return the transaction that completes the attempt, on a connection of this process."""
        if self._transaction_pools is None:
            message = f"{context.type!r} opens a transaction, and env=False leaves it no connection"
            raise UsageError(message, hint="declare its type without env=False")
        return Transaction(self._transaction_pools, RemoteCompletion(context, self))

    def find_artifact(self, context: Context, key: ArtifactKey) -> Future[ArtifactFacts]:
        """Find a file."""
        return self.ask(context, "find_artifact", key=key)

    def read_artifact(self, context: Context, key: ArtifactKey, n: int) -> Future[bytes]:
        """Return the n-th MiB of a file."""
        return self.ask(context, "read_artifact", key=key, n=n)

    def run_isolated(self, context: Context, call: IsolatedCall) -> Any:
        """Refuse: the handler has a process of its own."""
        message = f"{context.type!r} calls run_isolated in a process of its own"
        raise UsageError(message, hint=f"call {call.function!r} itself, or drop its isolation")

    def answered(self, message: Message, blob: bytes = b"") -> None:
        """Take the worker's answer to a call."""
        future = self._asked.pop(message["id"], None)
        if future is None:
            return
        error = message.get("error")
        if error is None:
            future.set_result(blob if message.get("blob") else message.get("answer"))
        else:
            future.set_exception(named(**error))

    def ask(self, context: Context, call: str, blob: bytes = b"", **arguments: Any) -> Future[Any]:
        """Send the worker a call, and return the future of its answer."""
        id = next(self._ids)
        answer: Future[Any] = Future()
        self._asked[id] = answer
        self._messages.send(
            {"kind": call, "id": id, "lease_id": context.lease_id, "arguments": arguments}, blob
        )
        return answer

    def _ask(self, context: Context, call: str, blob: bytes, **arguments: Any) -> Awaitable[None]:
        answer = self.ask(context, call, blob, **arguments)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # in a plain function, or in a thread
            answer.result()
            return RECORDED
        return asyncio.wrap_future(answer, loop=loop)


class RemoteCompletion:
    """The ``Attempt`` of ``transactions`` in a child, which forwards everything to the worker."""

    def __init__(self, context: Context, remote: RemoteReporter) -> None:
        self.task_id = context.task_id
        self.lease_id = context.lease_id
        self.type = context.type
        self._context = context
        self._remote = remote

    async def settle(self) -> str | None:
        """Ask the worker to."""
        progress: str | None = await asyncio.wrap_future(self._remote.ask(self._context, "settle"))
        return progress

    def settle_in_thread(self) -> str | None:
        """Ask the worker to, from a plain function."""
        progress: str | None = self._remote.ask(self._context, "settle").result()
        return progress

    def completed(self, *, watched: bool) -> None:
        """Tell the worker, before it hears that the handler has ended."""
        self._remote.tell(self._context, "completed", watched=watched)

    def not_completed(self) -> None:
        """Tell the worker."""
        self._remote.tell(self._context, "not_completed")
