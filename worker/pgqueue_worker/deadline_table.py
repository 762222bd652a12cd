"""The deadlines of a worker process and the time of its last claim, visible to its supervisor.

A handler that blocks the event loop past its timeout also keeps its process from acting on it. So
the deadline of each attempt with a time limit is in memory that the supervisor reads; it ends a
process that misses one. Attempts without a limit are not in the table, and cost nothing. The last
entry belongs to the claim loop: when its last pass was, unless it waits for a free slot.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgqueue.models.tasks.status import LeaseId

__all__ = ["DeadlineTable"]

_ENTRY = struct.Struct("=dq")  # when, by the system's monotonic clock, in s (0: never); lease id


class DeadlineTable:
    """A table of leases and times in shared memory: written by one process, read by another."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor = descriptor
        self._size = size
        self._memory = mmap.mmap(descriptor, (size + 1) * _ENTRY.size)
        self._free = list(range(size))
        self._indexes: dict[LeaseId, int] = {}

    @classmethod
    def create(cls, size: int) -> DeadlineTable:
        """Create an empty table for this many leases; its descriptor is for the other process."""
        with tempfile.TemporaryFile() as file:
            file.truncate((size + 1) * _ENTRY.size)
            return cls(os.dup(file.fileno()), size)

    def put(self, lease_id: LeaseId, at: float | None) -> None:
        """Set the deadline of a lease; ``None`` removes it. A full table takes no more leases."""
        index = self._indexes.get(lease_id)
        if at is None:
            if index is not None:
                self._write(index, 0.0, 0)
                del self._indexes[lease_id]
                self._free.append(index)
            return
        if index is None:
            if not self._free:
                return
            index = self._indexes[lease_id] = self._free.pop()
        self._write(index, at, lease_id)

    def passed(self, now: float) -> set[int]:
        """Return the leases whose deadline has passed."""
        entries = _ENTRY.iter_unpack(self._memory)
        return {lease_id for at, lease_id in entries if lease_id and 0 < at <= now}

    def came_round(self, at: float | None) -> None:
        """Record a pass of the claim loop; ``None``: it is waiting for a slot."""
        struct.pack_into("=d", self._memory, self._size * _ENTRY.size, at or 0.0)

    def still_s(self, now: float) -> float:
        """Return how long ago the last pass of the claim loop was; 0 while it waits for a slot."""
        (at,) = struct.unpack_from("=d", self._memory, self._size * _ENTRY.size)
        return max(0.0, now - at) if at else 0.0

    def close(self) -> None:
        """Release the memory."""
        self._memory.close()
        os.close(self.descriptor)

    def _write(self, index: int, at: float, lease_id: int) -> None:
        offset = index * _ENTRY.size
        struct.pack_into("=d", self._memory, offset, 0.0)  # so that nobody sees half an entry
        struct.pack_into("=q", self._memory, offset + 8, lease_id)
        struct.pack_into("=d", self._memory, offset, at)
