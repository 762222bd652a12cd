"""By when each attempt must be acted upon, for this process and for its supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgqueue_worker.attempts.lease import Lease
    from pgqueue_worker.deadline_table import Watch


class Deadlines:
    """Keeps ``Lease.deadline`` and the watch in step."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def set(self, lease: Lease, at: float) -> None:
        """Act on the lease at this time of the event loop, which is the system's monotonic one."""
        lease.deadline = at
        self._watch.note(lease.lease_id, at)

    def clear(self, lease: Lease) -> None:
        """Nothing has to be done about the lease any more."""
        if lease.deadline is not None:
            lease.deadline = None
            self._watch.note(lease.lease_id, None)
