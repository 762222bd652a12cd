"""By when a process must act on its attempts, and when it claimed last, for its supervisor to see.

A handler that blocks the event loop past its timeout keeps its own process from doing anything
about it. So each attempt with a time limit is noted in memory that the supervisor can read; it
ends a process that lets a time pass. Attempts without a limit are not in it, and pay nothing.
The last entry is the claim loop's own: when it last came round, unless it has no reason to.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgqueue.models.task import LeaseId

_ENTRY = struct.Struct("=dq")  # when, by the system's monotonic clock, in s (0: never); lease id


class Watch:
    """A table of leases and times in shared memory: written by one process, read by another."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor = descriptor
        self._size = size
        self._memory = mmap.mmap(descriptor, (size + 1) * _ENTRY.size)
        self._free = list(range(size))
        self._places: dict[LeaseId, int] = {}

    @classmethod
    def create(cls, size: int) -> Watch:
        """Make an empty table for so many leases; its descriptor is for the other process."""
        with tempfile.TemporaryFile() as file:
            file.truncate((size + 1) * _ENTRY.size)
            return cls(os.dup(file.fileno()), size)

    def note(self, lease_id: LeaseId, at: float | None) -> None:
        """Note the time of a lease in place of the one before; ``None`` for none any more."""
        place = self._places.get(lease_id)
        if at is None:
            if place is not None:
                self._write(place, 0.0, 0)
                del self._places[lease_id]
                self._free.append(place)
            return
        if place is None:
            if not self._free:
                return
            place = self._places[lease_id] = self._free.pop()
        self._write(place, at, lease_id)

    def passed(self, now: float) -> set[int]:
        """Give the leases whose time has passed."""
        entries = _ENTRY.iter_unpack(self._memory)
        return {lease_id for at, lease_id in entries if lease_id and 0 < at <= now}

    def came_round(self, at: float | None) -> None:
        """Note when the claim loop came round; ``None``: it waits for room, however long."""
        struct.pack_into("=d", self._memory, self._size * _ENTRY.size, at or 0.0)

    def still_s(self, now: float) -> float:
        """Give for how long the claim loop has not come round; 0 while it has no reason to."""
        (at,) = struct.unpack_from("=d", self._memory, self._size * _ENTRY.size)
        return max(0.0, now - at) if at else 0.0

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
        os.close(self.descriptor)

    def _write(self, place: int, at: float, lease_id: int) -> None:
        offset = place * _ENTRY.size
        struct.pack_into("=d", self._memory, offset, 0.0)  # nobody sees half an entry
        struct.pack_into("=q", self._memory, offset + 8, lease_id)
        struct.pack_into("=d", self._memory, offset, at)
