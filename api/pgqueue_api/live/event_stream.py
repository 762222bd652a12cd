"""Server-sent events over ASGI: frames, and the response that sends them as they come."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from pgqueue import logs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from litestar.types import Receive, Scope, Send

    from pgqueue_api.live.services import Services

__all__ = ["EventStream", "chained", "frame"]

_log = logs.get_logger("pgqueue.api")


def frame(event: str, data: bytes, id: str | None = None) -> bytes:
    """Return an event as it goes over the wire; JSON has no line breaks."""
    named = f"id: {id}\n" if id else ""
    return f"{named}event: {event}\ndata: ".encode() + data + b"\n\n"


class EventStream:
    """An ASGI response that sends frames as they come and ends when client or server leaves."""

    def __init__(self, services: Services, kind: str, frames: AsyncGenerator[bytes, None]) -> None:
        self._services = services
        self._kind = kind
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything until the end, or until the client may no longer read it."""
        bounds, gauge = self._services.bounds, self._services.metrics.streams.labels(self._kind)
        gauge.inc()
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        sending = asyncio.current_task()
        assert sending is not None
        ends = [
            asyncio.ensure_future(_disconnected(receive)),
            asyncio.ensure_future(self._services.gate.watch(scope["user"], dict(scope["headers"]))),
        ]
        for end in ends:
            end.add_done_callback(lambda done: done.cancelled() or sending.cancel())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async with aclosing(self._frames) as frames:
                async for data in frames:
                    async with asyncio.timeout(bounds.stalled_s):
                        await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.CancelledError:
            if not any(end.done() for end in ends):
                raise
            sending.uncancel()
            if not ends[0].done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            _log.info("stream_stalled", kind=self._kind)
        finally:
            for end in ends:
                end.cancel()
            gauge.dec()


async def chained(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Yield the first item, then the rest."""
    async with aclosing(rest):
        yield first
        async for item in rest:
            yield item


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
