"""Gathers the pieces of text that handlers stream, so that a token is not an event of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pgqueue_worker.attempts.lease import Lease

_EVERY_S = 0.1
_MOST = 8_192  # characters of an event, as of a log line


class Texts:
    """The text of every attempt that is not noted yet; for the event loop only.

    The first piece goes at once, what follows within a tenth of a second goes together: ten events
    a second at most, however fast a model writes.
    """

    def __init__(self, note: Callable[[Lease, str], None]) -> None:
        self._note = note
        self._loop = asyncio.get_running_loop()
        self._noted_at: dict[int, float] = {}
        self._gathered: dict[int, list[str]] = {}

    def add(self, lease: Lease, text: str) -> None:
        """Take a piece."""
        gathered = self._gathered.get(lease.lease_id)
        if gathered is not None:
            gathered.append(text)
            return
        due = self._noted_at.get(lease.lease_id, 0.0) + _EVERY_S
        if self._loop.time() >= due:
            self._write(lease, text)
        else:
            self._gathered[lease.lease_id] = [text]
            lease.unsent_events += 1  # the attempt does not end before it is stored
            self._loop.call_at(due, self.flush, lease)

    def flush(self, lease: Lease) -> None:
        """Note what has been gathered: what is logged next comes after it."""
        gathered = self._gathered.pop(lease.lease_id, None)
        if gathered is not None:
            self._write(lease, "".join(gathered))
            lease.unsent_events -= 1

    def forget(self, lease: Lease) -> None:
        """Forget an attempt that has ended."""
        self._gathered.pop(lease.lease_id, None)
        self._noted_at.pop(lease.lease_id, None)

    def _write(self, lease: Lease, text: str) -> None:
        self._noted_at[lease.lease_id] = self._loop.time()
        for start in range(0, len(text), _MOST):
            self._note(lease, text[start : start + _MOST])
