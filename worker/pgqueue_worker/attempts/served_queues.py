"""Which queues the next claim looks at: those that may hold tasks, and those used lately.

A name costs nothing soon after its queue was emptied: any number of queues may have existed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pgqueue.models.webhook import QUEUE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["ServedQueues"]

_MAX_RECENT = 32
_RECENT_S = 2.0  # each name costs a claim 15 µs
_MAX_QUEUES = 500  # in one claim


class ServedQueues:
    """The queues of a worker: some, or all but that of webhooks."""

    def __init__(self, queues: Iterable[str], *, all_queues: bool) -> None:
        names = list(dict.fromkeys(queues))
        self.only: list[str] | None = None if all_queues else names
        self._expected: dict[str, None] = dict.fromkeys(names)
        self._recent: dict[str, float] = {}  # and when each was used, the last one at the end
        self._turns = 0
        for name in names:
            self.used(name)

    @property
    def expecting(self) -> bool:
        """Whether a queue that may hold tasks has not been looked at since that was heard."""
        return bool(self._expected)

    @property
    def names(self) -> set[str]:
        """The queues that may hold tasks or were used lately."""
        return self._expected.keys() | self._recent.keys()

    def served(self, queues: Iterable[str]) -> list[str]:
        """Return those of these queues that are served."""
        if self.only is None:
            return [queue for queue in queues if queue and queue != QUEUE]
        return [queue for queue in queues if queue in self.only]

    def expect(self, queues: Iterable[str]) -> list[str]:
        """Look at these queues next, and return those that are served."""
        served = self.served(queues)
        for queue in served:
            self._expected[queue] = None
            if len(served) <= _MAX_RECENT:
                self.used(queue)
        return served

    def used(self, queue: str) -> None:
        """Remember a queue as one that is in use."""
        self._recent.pop(queue, None)
        self._recent[queue] = time.monotonic()
        if len(self._recent) > _MAX_RECENT:
            del self._recent[next(iter(self._recent))]

    def turn(self) -> list[str]:
        """Return the queues for the next claim; each call starts with another one."""
        self._forget()
        names = list(dict.fromkeys((*self._recent, *self._expected)))[:_MAX_QUEUES]
        self._turns = (self._turns + 1) % len(names) if names else 0
        return names[self._turns :] + names[: self._turns]

    def emptied(self, queues: Collection[str]) -> None:
        """A claim took all that it could from these queues."""
        for queue in queues:
            self._expected.pop(queue, None)

    def _forget(self) -> None:
        """Forget the queues that were used too long ago, but the one that was used last."""
        until = time.monotonic() - _RECENT_S
        while len(self._recent) > 1:
            oldest = next(iter(self._recent))
            if self._recent[oldest] > until:
                break
            del self._recent[oldest]
