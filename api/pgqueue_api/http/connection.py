"""One connection to a client, with bounds that uvicorn leaves to a proxy in front of it.

A client that is slow, or sends too much, costs a socket for a while and little memory: the head of
a request is bounded in size and time, a request that was answered before its end must end soon, and
a client that reads nothing of an answer is cut off. Connections and unread bytes are bounded: where
one too many comes, the one that has been idle longest makes room. What the parser refuses is
answered as a problem, like all other errors.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import orjson
from litestar.exceptions import HTTPException
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from pgqueue_api.http.headers import POLICY, SECURITY
from pgqueue_api.http.joined import Joined
from pgqueue_api.problems import MEDIA_TYPE, Overloaded, problem_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from uvicorn._types import ASGI3Application

    from pgqueue_api.bounds import Bounds

__all__ = ["Connection"]


class Connection(HttpToolsProtocol):
    """A connection; ``within`` returns the class of connections with certain bounds."""

    bounds: Bounds
    idle: dict[Connection, None]
    """Those that wait for a request, in the order in which they began to."""
    unread: dict[Connection, int]
    """How many bytes each of those has not taken that read too slowly, in the order they began."""

    @classmethod
    def within(cls, bounds: Bounds) -> type[Connection]:
        """Return a class for uvicorn to make connections of, which share the bounds."""
        return type("Connection", (cls,), {"bounds": bounds, "idle": {}, "unread": {}})

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._in_head = True
        self._begun = False
        self._head = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None
        self._answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, for a limited time."""
        super().connection_made(cast("asyncio.Transport", Joined(transport, self.loop)))
        self._within(self.bounds.head_s, self._head_is_late)
        if len(self.connections) > self.bounds.connections:
            self._make_room()
        if not self.transport.is_closing():
            self.idle[self] = None

    def _make_room(self) -> None:
        """Close the connection that has been idle longest; if none is, refuse this one."""
        for other in self.idle:
            if not other.transport.is_closing():
                del self.idle[other]
                other.transport.close()
                return
        self._refuse(
            Overloaded(
                "the server has as many connections as it may have",
                hint="close connections that you do not use",
            )
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers."""
        self.idle.pop(self, None)
        self._in_time()
        self.resume_writing()
        if self._answering is not None:  # of several requests sent at once, uvicorn tells the last
            self._answering.disconnected = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what arrived, unless the head of a request has grown too large."""
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if self._begun and self._deadline is None:  # most heads come whole, and need no timer
            self._within(self.bounds.head_s, self._head_is_late)
        if self._in_head and self._head > self.bounds.head and not self.transport.is_closing():
            self._refuse(_http(431, f"the head has more than {self.bounds.head:,} bytes"))

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._begun = True

    def on_headers_complete(self) -> None:
        """Begin a request; its body has bounds of its own."""
        self.idle.pop(self, None)
        self._in_head = self._begun = False
        self._in_time()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expect the next request."""
        self._in_head, self._head = True, 0
        if self._deadline is not None:  # this one was answered before its end
            self._within(self.timeout_keep_alive, self.transport.close)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Set a deadline for the rest of a request that was answered before its end."""
        super().on_response_complete()
        if not self._in_head:
            self._within(self.bounds.body_s, self.transport.abort)
        elif not self.pipeline and not self.transport.is_closing():
            self.idle[self] = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def pause_writing(self) -> None:
        """Begin to watch a client that reads more slowly than it is sent to."""
        super().pause_writing()
        left = self.transport.get_write_buffer_size()
        self.unread[self] = left
        self._look_again(left)
        over = sum(self.unread.values()) - self.bounds.unread
        for other, size in self.unread.items():
            if over <= 0:
                break
            over -= size
            self.loop.call_soon(other.transport.abort)

    def resume_writing(self) -> None:
        """Stop watching the client."""
        self.unread.pop(self, None)
        if self._look is not None:
            self._look.cancel()
            self._look = None
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close, or abort if the client has not even read the last answer."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """Answer that this is not HTTP."""
        self._refuse(_http(400, msg))

    def _head_is_late(self) -> None:
        self._refuse(_http(408, f"the head did not arrive within {self.bounds.head_s:g} s"))

    def _refuse(self, error: Exception) -> None:
        """Answer with a problem and close; in the middle of another answer only close."""
        self._in_time()
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        if cycle is None or cycle.response_complete:
            status, problem, more = problem_of(error)
            content = orjson.dumps(problem)
            headers = [
                (b"content-type", MEDIA_TYPE.encode()),
                (b"content-length", b"%d" % len(content)),
                (b"connection", b"close"),
                *[(name.lower().encode(), value.encode()) for name, value in more.items()],
                *SECURITY,
                POLICY,
            ]
            line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
            said = b"".join(b"%s: %s\r\n" % header for header in headers)
            self.transport.write(line + said + b"\r\n" + content)
        self.transport.close()

    def _within(self, seconds: float, late: Callable[[], object]) -> None:
        self._in_time()
        self._deadline = self.loop.call_later(seconds, late)

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _look_again(self, unread: int) -> None:
        self._look = self.loop.call_later(self.bounds.stalled_s, self._has_taken_of, unread)

    def _has_taken_of(self, unread: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left >= unread:  # and what is written is bounded by the flow: it cannot grow meanwhile
            self.transport.abort()
        else:
            self._look_again(left)


def _http(status: int, detail: str) -> HTTPException:
    return HTTPException(detail=detail, status_code=status)
