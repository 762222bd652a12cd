"""Server-sent events of one task.

Each frame carries the whole current state, so a client that missed some is right again with the
next; only logs are a sequence, and their ids (``<lease_id>-<seq>``) say where to go on. Nothing is
kept per client but the place it has got to: a slow one finds the newest state and reads the logs
that it missed from the database.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from typing import TYPE_CHECKING

from pgqueue import logs
from pgqueue.errors import DatabaseUnavailable, NotFound
from pgqueue_api.hub import START, Hub, Position, Watch, log_lines
from pgqueue_api.problems import Overloaded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from litestar.types import Receive, Scope, Send

    from pgqueue.database import Row
    from pgqueue_api.services import Services

__all__ = ["EventStream", "frame", "open_task_stream", "parse_position"]

_HEARTBEAT = b": \n\n"
_PAGE = 200
_POSITION = re.compile(r"(\d{1,18})-(\d{1,9})")

_log = logs.get_logger("pgqueue.api")


def frame(event: str, data: bytes, id: str | None = None) -> bytes:
    """Give an event as it goes over the wire; JSON has no line breaks."""
    named = f"id: {id}\n" if id else ""
    return f"{named}event: {event}\ndata: ".encode() + data + b"\n\n"


def parse_position(last_event_id: str | None) -> Position:
    """Give the place that a ``Last-Event-ID`` names; the start if it names none."""
    found = _POSITION.fullmatch(last_event_id or "")
    return (int(found[1]), int(found[2])) if found else START


class EventStream:
    """An ASGI response that sends frames as they come and ends when client or server leaves."""

    def __init__(self, services: Services, kind: str, frames: AsyncGenerator[bytes, None]) -> None:
        self._services = services
        self._kind = kind
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything until the end."""
        limits, gauge = self._services.limits, self._services.metrics.streams.labels(self._kind)
        gauge.inc()
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        gone = asyncio.ensure_future(_disconnected(receive))
        sending = asyncio.current_task()
        assert sending is not None
        gone.add_done_callback(lambda done: done.cancelled() or sending.cancel("the client left"))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async with aclosing(self._frames) as frames:
                async for data in frames:
                    async with asyncio.timeout(limits.stalled_s):
                        await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.CancelledError:
            if not gone.done():
                raise
            sending.uncancel()
        except TimeoutError:
            _log.info("stream_stalled", kind=self._kind)
        finally:
            gone.cancel()
            gauge.dec()


async def open_task_stream(services: Services, id: str, last_event_id: str | None) -> EventStream:
    """Open the stream of one task; raises ``NotFound`` before anything is sent."""
    hub = services.hub
    if hub.watchers >= services.limits.streams:
        raise Overloaded(f"{hub.watchers:,} streams are open", hint="poll GET /v1/tasks/{id}")
    frames = _task_frames(hub, id, parse_position(last_event_id), services.limits.heartbeat_s)
    first = await anext(frames)
    return EventStream(services, "task", _chain(first, frames))


async def _task_frames(
    hub: Hub, id: str, position: Position, heartbeat_s: float
) -> AsyncGenerator[bytes, None]:
    """Give snapshot, logs, changes of state, and the end, from a place in the logs on."""
    version = ""
    state = b""
    ended = first = True
    with hub.watching(id) as (watch, waker):
        await hub.announce_watching()
        while not hub.ending.is_set():
            waker.clear()
            if first or watch.position is None or position < watch.logs_from:
                try:
                    row = await hub.changes(id, version, position)
                except DatabaseUnavailable:
                    if first:
                        raise
                    yield b": the database is not available\n\n"
                    await asyncio.sleep(1)
                    continue
                if row is None and first:
                    raise NotFound(f"there is no task {id}")
                news = _News.read(row, watch, position)
            else:
                news = _News.shared(watch, version, position)

            parts: list[bytes] = []
            if first and news.state:
                parts += [b"retry: 2000\n\n", frame("snapshot", news.state)]
            for position, line in news.lines:
                parts.append(frame("log", line, f"{position[0]}-{position[1]}"))
            if news.state:
                if not first:
                    moved = _status(version) != _status(news.version)
                    parts.append(frame("status" if moved else "progress", news.state))
                version, state, ended = news.version, news.state, news.ended
            full = len(news.lines) >= _PAGE
            if ended and not full:
                parts.append(frame("end", state))
            if parts:
                yield b"".join(parts)
            if ended and not full:
                return
            first = False
            while not full and not waker.is_set() and not hub.ending.is_set():
                try:
                    async with asyncio.timeout(heartbeat_s):
                        await waker.wait()
                except TimeoutError:
                    yield _HEARTBEAT
        yield b": the server is stopping\n\n"


class _News:
    """What a client has not seen yet; ``state`` is empty where it is unchanged."""

    __slots__ = ("ended", "lines", "state", "version")

    def __init__(
        self, version: str, state: bytes, ended: bool, lines: list[tuple[Position, bytes]]
    ) -> None:
        self.version = version
        self.state = state
        self.ended = ended
        self.lines = lines

    @classmethod
    def read(cls, row: Row | None, watch: Watch, since: Position) -> _News:
        """From a read of the client's own, which serves the others too."""
        if row is None:
            return cls("", b"", False, [])  # noqa: FBT003
        watch.start_at(since)
        watch.take(row, since)
        watch.wake()
        state = row["state"].encode() if row["state"] is not None else b""
        return cls(row["version"], state, row["ended"], log_lines(row))

    @classmethod
    def shared(cls, watch: Watch, version: str, since: Position) -> _News:
        """From what the hub has read for all."""
        lines = [line for line in watch.logs if line[0] > since]
        state = watch.state if watch.version != version else b""
        return cls(watch.version, state, watch.ended, lines)


def _status(version: str) -> str:
    return version.split("|", 1)[0]


async def _chain(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        yield first
        async for item in rest:
            yield item


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
