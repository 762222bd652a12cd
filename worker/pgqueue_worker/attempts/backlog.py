"""Claimed attempts that wait for a free slot."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pgqueue_worker.lease import Lease

__all__ = ["Backlog"]


class Backlog:
    """Leases by priority and seq."""

    def __init__(self) -> None:
        self._leases: deque[Lease] = deque()

    def __len__(self) -> int:
        return len(self._leases)

    def __iter__(self) -> Iterator[Lease]:
        return iter(self._leases)

    def add(self, leases: list[Lease]) -> None:
        """Add leases, which are in order already."""
        held = self._leases
        if leases and held and leases[0].task.order < held[-1].task.order:
            self._leases = deque(sorted([*held, *leases], key=lambda lease: lease.task.order))
        else:
            held.extend(leases)

    def next(self) -> Lease:
        """Remove and return the first one."""
        return self._leases.popleft()

    def remove(self, lease_id: int) -> Lease | None:
        """Remove and return one by its id, if it waits here."""
        for lease in self._leases:
            if lease.lease_id == lease_id:
                self._leases.remove(lease)
                return lease
        return None

    def remove_queues(self, queues: Collection[str]) -> list[Lease]:
        """Remove and return those of some queues."""
        removed = [lease for lease in self._leases if lease.task.queue in queues]
        if removed:
            self._leases = deque(x for x in self._leases if x.task.queue not in queues)
        return removed

    def remove_all(self) -> list[Lease]:
        """Remove and return all of them."""
        removed, self._leases = list(self._leases), deque()
        return removed
