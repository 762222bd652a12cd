"""Sends what is written to a client in one turn of the event loop as one packet.

uvicorn writes the head of an answer and its body apart, and each is a call into the system: 8 % of
the CPU of a submit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

__all__ = ["Joined"]


class Joined:
    """A transport that holds back what is written until this turn of the event loop ends."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write soon, with what else is written meanwhile."""
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the client has not taken."""
        return self._transport.get_write_buffer_size() + sum(map(len, self._held))

    def close(self) -> None:
        """Close once everything is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        held, self._held = self._held, []
        if held and not self._transport.is_closing():
            self._transport.write(b"".join(held))
