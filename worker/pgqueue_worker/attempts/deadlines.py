"""The time at which each attempt needs action, for this process and for its supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgqueue_worker.deadline_table import DeadlineTable
    from pgqueue_worker.lease import Lease

__all__ = ["Deadlines"]


class Deadlines:
    """Keeps ``Lease.deadline`` and the table of the supervisor in step."""

    def __init__(self, table: DeadlineTable) -> None:
        self._table = table

    def set(self, lease: Lease, at: float) -> None:
        """Act on the lease at this time of the event loop, which is the system's monotonic one."""
        lease.deadline = at
        self._table.put(lease.lease_id, at)

    def clear(self, lease: Lease) -> None:
        """Remove the deadline: nothing has to be done about the lease any more."""
        if lease.deadline is not None:
            lease.deadline = None
            self._table.put(lease.lease_id, None)
