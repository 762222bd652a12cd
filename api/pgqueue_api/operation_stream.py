"""Server-sent events of one operation: its state, whole, whenever it moved on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pgqueue.errors import DatabaseUnavailable, NotFound
from pgqueue_api.problems import Overloaded
from pgqueue_api.streams import EventStream, chained, frame

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from uuid import UUID

    from pgqueue_api.services import Services

__all__ = ["open_operation_stream"]

_ROUND_S = 0.2  # five frames a second at most
_LIVE = ("queued", "running")


@dataclass(slots=True)
class _Stream:
    services: Services
    id: UUID
    hinted: asyncio.Event = field(default_factory=asyncio.Event)
    state: str = "queued"
    item: bytes = b""

    def hear(self, ids: list[str]) -> None:
        """Note that a notification named this operation."""
        if str(self.id) in ids:
            self.hinted.set()

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Give snapshot, progress and the end."""
        hub, limits = self.services.hub, self.services.limits
        loop = asyncio.get_running_loop()
        hub.hint_listeners.add(self.hear)
        try:
            await hub.announce_watching()
            await self._read()
            yield b"retry: 2000\n\n" + frame("snapshot", self.item)
            spoke_at = loop.time()
            while self.state in _LIVE and not hub.ending.is_set():
                await self._pause(limits.poll_s)
                told = b""
                try:
                    if await self._read():
                        told = frame("progress", self.item)
                except DatabaseUnavailable:
                    told = b": the database is not available\n\n"
                if told or loop.time() >= spoke_at + limits.heartbeat_s:
                    yield told or b": \n\n"
                    spoke_at = loop.time()
            ended = self.state not in _LIVE
            yield frame("end", self.item) if ended else b": the server is stopping\n\n"
        finally:
            hub.hint_listeners.discard(self.hear)

    async def _pause(self, seconds: float) -> None:
        """Wait for a hint, or until it is time to look."""
        try:
            async with asyncio.timeout(max(_ROUND_S, seconds)):
                await self.hinted.wait()
                await asyncio.sleep(_ROUND_S)
        except TimeoutError:
            pass
        self.hinted.clear()

    async def _read(self) -> bool:
        """Read the operation; says whether it moved on."""
        row = await self.services.reads.row(
            "operation_states",
            {"id": self.id, "kind": None, "state": None, "before": None, "most": 1},
        )
        if row is None:
            raise NotFound(f"there is no operation {self.id}")
        before, self.item, self.state = self.item, row["item"].encode(), row["state"]
        return self.item != before


async def open_operation_stream(services: Services, id: UUID) -> EventStream:
    """Open the stream of one operation; raises before anything is sent, or not at all."""
    if len(services.hub.hint_listeners) >= services.limits.queue_streams:
        raise Overloaded(
            f"{services.limits.queue_streams} such streams are open",
            hint="poll GET /v1/operations/{id}",
        )
    frames = _Stream(services, id).frames()
    return EventStream(services, "operation", chained(await anext(frames), frames))
