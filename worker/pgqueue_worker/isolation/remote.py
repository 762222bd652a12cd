"""The reporting side of contexts in a child: every call goes to the worker."""

from __future__ import annotations

import asyncio
import itertools
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from pgqueue.context import RECORDED
from pgqueue.errors import named
from pgqueue_worker.failure import clean
from pgqueue_worker.reporter import storable

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from pgqueue.context import Context
    from pgqueue_worker.isolation.wire import Message, Wire


class Remote:
    """A ``pgqueue.context.Reporter``, callable from any thread."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._ids = itertools.count(1)
        self._asked: dict[int, Future[Any]] = {}

    def progress(self, context: Context, percent: float, message: str | None) -> None:
        """Take the latest progress."""
        text = None if message is None else clean(message)
        self._tell(context, "progress", percent=percent, message=text)

    def event(self, context: Context, level: str, message: str, data: dict[str, Any]) -> None:
        """Take a log line."""
        self._tell(context, "event", level=level, message=clean(message), data=storable(data))

    def save_artifact(
        self, context: Context, name: str, data: bytes, content_type: str
    ) -> Awaitable[None]:
        """Keep a file; in a plain function it is kept when this returns."""
        return self._ask(
            context, "save_artifact", bytes(data), name=name, content_type=content_type
        )

    def answered(self, message: Message, blob: bytes) -> None:
        """Take the worker's answer to a call."""
        future = self._asked.pop(message["id"], None)
        if future is None:
            return
        error = message.get("error")
        if error is None:
            future.set_result(blob)
        else:
            future.set_exception(named(**error))

    def _tell(self, context: Context, call: str, **arguments: Any) -> None:
        self._wire.send({"kind": call, "lease_id": context.lease_id, "arguments": arguments})

    def _ask(self, context: Context, call: str, blob: bytes, **arguments: Any) -> Awaitable[None]:
        id = next(self._ids)
        answer: Future[Any] = Future()
        self._asked[id] = answer
        self._wire.send(
            {"kind": call, "id": id, "lease_id": context.lease_id, "arguments": arguments}, blob
        )
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # in a plain function, or in a thread
            answer.result()
            return RECORDED
        return asyncio.wrap_future(answer, loop=loop)
