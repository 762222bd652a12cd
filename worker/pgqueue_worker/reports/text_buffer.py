"""Gathers the pieces of text that handlers stream, so that not every token becomes an event."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pgqueue_worker.lease import Lease

__all__ = ["TextBuffer"]

_INTERVAL_S = 0.1
_MAX_TEXT = 8_192  # characters of an event, as of a log line


class TextBuffer:
    """The text of every attempt that is no event yet. For the event loop only.

    The first piece is sent at once; pieces that follow within a tenth of a second are sent
    together. So
    there are at most ten events a second, however fast a model writes.
    """

    def __init__(self, send: Callable[[Lease, str], None]) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._sent_at: dict[int, float] = {}
        self._gathered: dict[int, list[str]] = {}

    def add(self, lease: Lease, text: str) -> None:
        """Take a piece."""
        gathered = self._gathered.get(lease.lease_id)
        if gathered is not None:
            gathered.append(text)
            return
        due = self._sent_at.get(lease.lease_id, 0.0) + _INTERVAL_S
        if self._loop.time() >= due:
            self._write(lease, text)
        else:
            self._gathered[lease.lease_id] = [text]
            lease.unsent_events += 1  # the attempt does not end before it is stored
            self._loop.call_at(due, self.flush, lease)

    def flush(self, lease: Lease) -> None:
        """Send what has been gathered: what is logged next comes after it."""
        gathered = self._gathered.pop(lease.lease_id, None)
        if gathered is not None:
            self._write(lease, "".join(gathered))
            lease.unsent_events -= 1

    def forget(self, lease: Lease) -> None:
        """Forget an attempt that has ended."""
        self._gathered.pop(lease.lease_id, None)
        self._sent_at.pop(lease.lease_id, None)

    def _write(self, lease: Lease, text: str) -> None:
        self._sent_at[lease.lease_id] = self._loop.time()
        for start in range(0, len(text), _MAX_TEXT):
            self._send(lease, text[start : start + _MAX_TEXT])
