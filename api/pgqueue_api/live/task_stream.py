"""Server-sent events of one task.

Each frame carries the whole current state, so a client that missed some is right again with the
next; only logs are a sequence, and their ids (``<lease_id>-<seq>``) say where to go on. Nothing is
kept per client but the place it has got to: a slow one finds the newest state and reads the logs
that it missed from the database.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pgqueue.errors import DatabaseUnavailable
from pgqueue_api.live.event_stream import EventStream, chained, frame
from pgqueue_api.live.watched_task import START, Line, Position, WatchedTask, log_lines
from pgqueue_api.problems import Overloaded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pgqueue_api.live.hub import Hub
    from pgqueue_api.live.services import Services

__all__ = ["open_task_stream", "parse_position"]

_HEARTBEAT = b": \n\n"
_POSITION = re.compile(r"(\d{1,18})-(\d{1,9})")


def parse_position(last_event_id: str | None) -> Position:
    """Return the position that a ``Last-Event-ID`` names; the start if it names none."""
    found = _POSITION.fullmatch(last_event_id or "")
    return (int(found[1]), int(found[2])) if found else START


async def open_task_stream(services: Services, id: str, last_event_id: str | None) -> EventStream:
    """Open the stream of one task; raises ``NotFound`` before anything is sent."""
    hub = services.hub
    if hub.watchers >= services.bounds.streams:
        raise Overloaded(f"{hub.watchers:,} streams are open", hint="poll GET /v1/tasks/{id}")
    frames = _TaskStream(
        hub, id, parse_position(last_event_id), services.bounds.heartbeat_s
    ).frames()
    return EventStream(services, "task", chained(await anext(frames), frames))


@dataclass(slots=True)
class _TaskStream:
    """One client's view of one task: the last state and log position that it received."""

    hub: Hub
    id: str
    position: Position
    heartbeat_s: float
    version: str = ""
    state: bytes = b""
    ended: bool = False
    end: Position = START
    """Where the logs ended when they were read last."""

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Yield snapshot, logs, changes of state, and the end."""
        with self.hub.watching(self.id) as (watch, waker):
            await self.hub.announce_watching()
            news = await self._read(watch)
            if news is None:
                raise await self.hub.not_found(self.id)
            yield b"retry: 2000\n\n" + self._frames_of(news)
            while not (self.ended and self._caught_up) and not self.hub.ending.is_set():
                if self._caught_up:
                    async for beat in self._idle(waker):
                        yield beat
                waker.clear()
                try:
                    news = await self._news(watch)
                except DatabaseUnavailable:
                    yield b": the database is not available\n\n"
                    await asyncio.sleep(1)
                    waker.set()
                    continue
                if news is not None and (frames := self._frames_of(news)):
                    yield frames
            yield frame("end", self.state) if self.ended else b": the server is stopping\n\n"

    @property
    def _caught_up(self) -> bool:
        return self.position >= self.end

    async def _idle(self, waker: asyncio.Event) -> AsyncGenerator[bytes, None]:
        """Wait for something new, with a heartbeat now and then."""
        while not waker.is_set() and not self.hub.ending.is_set():
            try:
                async with asyncio.timeout(self.heartbeat_s):
                    await waker.wait()
            except TimeoutError:
                yield _HEARTBEAT

    async def _news(self, watch: WatchedTask) -> _News | None:
        """Return what is new, from what the hub has read if that reaches back far enough."""
        if not self._caught_up or not watch.reaches_back_to(self.position):
            return await self._read(watch)
        return _News(
            watch.version,
            watch.state if watch.version != self.version else b"",
            watch.ended,
            [line for line in watch.logs if line[0] > self.position],
            watch.end,
        )

    async def _read(self, watch: WatchedTask) -> _News | None:
        """Read what is new, and share it with the other streams; None if there is nothing."""
        row = await self.hub.changes(self.id, self.version, self.position)
        if row is None:
            self.end = self.position
            return None
        end = (row["last_lease"], row["last_seq"])
        # a place beyond the end, which any client may claim, would hide the lines to come
        self.position = min(self.position, end)
        self.hub.start(self.id, watch, self.position)
        if not watch.take(row, self.position):
            return await self._read(watch)
        watch.wake()
        state = row["state"].encode() if row["state"] is not None else b""
        return _News(row["version"], state, row["ended"], log_lines(row), end)

    def _frames_of(self, news: _News) -> bytes:
        """Return the frames of what is new, and remember that the client knows it."""
        parts = [
            frame(event, line, f"{lease_id}-{seq}") for (lease_id, seq), (event, line) in news.lines
        ]
        if news.lines:
            self.position = news.lines[-1][0]
        self.end = news.end
        if news.state:
            if not self.version:
                parts.insert(0, frame("snapshot", news.state))
            else:
                moved = _status(self.version) != _status(news.version)
                parts.append(frame("status" if moved else "progress", news.state))
            self.version, self.state, self.ended = news.version, news.state, news.ended
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class _News:
    """What a client has not received yet; ``state`` is empty if it is unchanged."""

    version: str
    state: bytes
    ended: bool
    lines: list[tuple[Position, Line]]
    end: Position


def _status(version: str) -> str:
    return version.split("|", 1)[0]
