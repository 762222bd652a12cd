"""The handle of a child: what its worker can send it, read from it, and do to it."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from pgqueue_worker.isolation.messages import frame, read_message

if TYPE_CHECKING:
    from pgqueue_worker.isolation.fork_client import ForkClient, Forked
    from pgqueue_worker.isolation.messages import Message

_STATUS_S = 0.5
_REAPED_S = 5.0


class ChildProcess:
    """A forked process, the leader of a session of its own."""

    def __init__(
        self, forked: Forked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.pid = forked.pid
        self.ended = forked.ended
        self._reader = reader
        self._writer = writer

    @classmethod
    async def fork(cls, client: ForkClient, output: int | None = None) -> ChildProcess:
        """Return a new child, which waits for its first message; raise ``OSError`` for none."""
        forked = await client.fork(output)
        return cls(forked, *await asyncio.open_connection(sock=forked.end))

    def send(self, message: Message, blob: bytes = b"") -> None:
        """Send a message; drop it if the child is gone."""
        if not self._writer.is_closing():
            self._writer.write(frame(message, len(blob)))
            if blob:
                self._writer.write(blob)

    async def receive(self, **limits: int) -> tuple[Message, bytes]:
        """Return the next message; see ``read_message``."""
        return await read_message(self._reader, **limits)

    def kill(self) -> None:
        """End it, and everything that it started."""
        self._writer.close()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if not self.ended.done():  # it may not lead its group yet
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def reap(self) -> int | None:
        """Kill it and return its exit status, or ``None`` if that stays unknown.

        A child whose socket has ended gets a moment to end by itself, so that its own exit status
        counts.
        However often the caller is cancelled meanwhile, the child is gone before this returns.
        """
        cancelled = False
        if self._reader.at_eof() or self._reader.exception():
            cancelled = await self._wait(_STATUS_S)
        self.kill()
        if await self._wait(_REAPED_S) or cancelled:
            raise asyncio.CancelledError
        return self.ended.result() if self.ended.done() else None

    async def _wait(self, seconds: float) -> bool:
        """Wait for its end, and return whether the caller was cancelled meanwhile."""
        loop = asyncio.get_running_loop()
        until, cancelled = loop.time() + seconds, False
        while not self.ended.done() and loop.time() < until:
            try:
                await asyncio.wait({self.ended}, timeout=until - loop.time())
            except asyncio.CancelledError:
                cancelled = True
        return cancelled


def how_it_ended(status: int | None) -> str:
    """Return how a process ended, by its exit status: the end of a sentence about it."""
    if status is None:
        return "broke off"
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:  # the real-time signals have no names
        return f"was killed by signal {-status}"
