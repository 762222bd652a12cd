"""Natural batching: the elements that arrive during one round trip share the next one.

When idle, an element is sent at once and alone; under load, hundreds share a statement and its
commit. There are no timers.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from pgqueue.errors import DatabaseUnavailable, SchemaMismatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Gatherer"]

Answer = TypeVar("Answer")

_LARGEST_BATCH = 500
_LARGEST_BATCH_BYTES = 4 * 1024 * 1024


class Gatherer(Generic[Answer]):
    """Passes elements to ``send``, many at a time, and returns to each caller its own answer.

    ``send`` returns an answer for each element, in order, or raises. When it raises because of an
    element, the batch is sent again in halves, so that a bad element fails alone; when the database
    cannot be reached, all fail.
    """

    def __init__(self, send: Callable[[list[bytes]], Awaitable[list[Answer]]]) -> None:
        self._send = send
        self._waiting: list[tuple[bytes, asyncio.Future[Answer]]] = []
        self._running: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many elements have not been sent yet."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether an element has not been answered yet."""
        return self._running is not None

    def add(self, element: bytes) -> asyncio.Future[Answer]:
        """Add an element; the future is done once its batch has been answered."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((element, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return future

    async def drained(self, timeout: float | None = None) -> None:
        """Return when every element has been answered, or after ``timeout`` seconds."""
        if self._running is not None:
            await asyncio.wait([self._running], timeout=timeout)

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._flush(self._take())
        finally:
            self._running = None

    def _take(self) -> list[tuple[bytes, asyncio.Future[Answer]]]:
        size = count = 0
        for element, _ in self._waiting[:_LARGEST_BATCH]:
            size += len(element)
            if count and size > _LARGEST_BATCH_BYTES:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    async def _flush(self, batch: list[tuple[bytes, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._send([element for element, _ in batch])
        except (DatabaseUnavailable, SchemaMismatch) as error:
            for _, future in batch:
                _fail(future, error)
        except Exception as error:  # noqa: BLE001  whatever it is, each element gets its answer
            if len(batch) == 1:
                _fail(batch[0][1], error)
                return
            # one of them is bad: send halves, so that it alone is refused
            middle = len(batch) // 2
            await self._flush(batch[:middle])
            await self._flush(batch[middle:])
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)


def _fail(future: asyncio.Future[Answer], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
