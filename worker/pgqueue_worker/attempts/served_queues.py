"""Which queues the next claim looks at: those that may hold tasks, and those used lately.

A name costs nothing once its queue is empty and other queues are in use: any number of queues may
have existed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgqueue.models.webhook import QUEUE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["ServedQueues"]

_MAX_RECENT = 32
_MAX_QUEUES = 500  # in one claim


class ServedQueues:
    """The queues of a worker: some, or all but that of webhooks."""

    def __init__(self, queues: Iterable[str], *, all_queues: bool) -> None:
        names = list(dict.fromkeys(queues))
        self.only: list[str] | None = None if all_queues else names
        self._expected: dict[str, None] = dict.fromkeys(names)
        self._recent: dict[str, int] = {}  # and when each was used last
        self._uses = 0
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
        self._uses += 1
        self._recent[queue] = self._uses
        if len(self._recent) > _MAX_RECENT:
            del self._recent[min(self._recent, key=self._recent.__getitem__)]

    def turn(self) -> list[str]:
        """Return the queues for the next claim; each call starts with another one."""
        names = list(dict.fromkeys((*self._recent, *self._expected)))[:_MAX_QUEUES]
        self._turns = (self._turns + 1) % len(names) if names else 0
        return names[self._turns :] + names[: self._turns]

    def emptied(self, queues: Collection[str]) -> None:
        """A claim took all that it could from these queues."""
        for queue in queues:
            self._expected.pop(queue, None)
