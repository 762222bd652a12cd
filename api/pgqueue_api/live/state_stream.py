"""Server-sent events of one thing that moves on until it ends: its state, whole, as it changes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pgqueue.errors import DatabaseUnavailable
from pgqueue_api.live.event_stream import EventStream, chained, frame
from pgqueue_api.live.hub import hinted_within
from pgqueue_api.problems import Overloaded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from pgqueue_api.live.services import Services

__all__ = ["open_state_stream"]

_ROUND_S = 0.2  # five frames a second at most


async def open_state_stream(
    services: Services,
    kind: str,
    path: str,
    read: Callable[[], Awaitable[tuple[bytes, bool]]],
    hints: Callable[[list[str]], bool],
) -> EventStream:
    """Open the stream of one thing; raise before anything is sent, or not at all.

    ``read`` returns its JSON and whether it goes on, or raises ``NotFound``; ``hints`` says whether
    a notification with these ids is a reason to look. ``path`` is where a client can poll instead.
    """
    if len(services.hub.hint_listeners) >= services.bounds.queue_streams:
        raise Overloaded(
            f"{services.bounds.queue_streams} such streams are open", hint=f"poll GET {path}"
        )
    frames = _StateStream(services, read, hints).frames()
    return EventStream(services, kind, chained(await anext(frames), frames))


@dataclass(slots=True)
class _StateStream:
    """The frames of a thing, as it changes."""

    services: Services
    read: Callable[[], Awaitable[tuple[bytes, bool]]]
    hints: Callable[[list[str]], bool]
    hinted: asyncio.Event = field(default_factory=asyncio.Event)
    item: bytes = b""
    goes_on: bool = True

    def hear(self, ids: list[str]) -> None:
        """Note a notification."""
        if self.hints(ids):
            self.hinted.set()

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Yield snapshot, progress and the end."""
        hub, bounds = self.services.hub, self.services.bounds
        loop = asyncio.get_running_loop()
        async with hub.hinting(self.hear):
            await self._look()
            yield b"retry: 2000\n\n" + frame("snapshot", self.item)
            spoke_at = loop.time()
            while self.goes_on and not hub.ending.is_set():
                await hinted_within(max(_ROUND_S, bounds.poll_s), self.hinted, _ROUND_S)
                changed = b""
                try:
                    if await self._look():
                        changed = frame("progress", self.item)
                except DatabaseUnavailable:
                    changed = b": the database is not available\n\n"
                if changed or loop.time() >= spoke_at + bounds.heartbeat_s:
                    yield changed or b": \n\n"
                    spoke_at = loop.time()
            yield b": the server is stopping\n\n" if self.goes_on else frame("end", self.item)

    async def _look(self) -> bool:
        """Read it, and return whether it has changed."""
        before = self.item
        self.item, self.goes_on = await self.read()
        return self.item != before
