"""How a transaction of a handler completes an attempt of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgqueue_worker.lease import Lease
    from pgqueue_worker.reports.loop_bridge import LoopBridge
    from pgqueue_worker.reports.outbox import Outbox

__all__ = ["Completion"]


class Completion:
    """The ``Attempt`` of ``transaction``: a lease that this process holds."""

    def __init__(self, lease: Lease, outbox: Outbox, loop: LoopBridge) -> None:
        self.task_id = lease.task.id
        self.lease_id = lease.lease_id
        self.type = lease.task.type
        self._lease = lease
        self._outbox = outbox
        self._loop = loop
        self._shut = False

    async def settle(self) -> str | None:
        """Wait until its log lines are stored, and let no interrupt in from then on.

        Log lines are refused once the attempt has ended. An interrupt during the commit could leave
        open whether it happened.
        """
        if self._lease.unsent_events:
            await self._outbox.sent(self._lease)
        self._shut = self._lease.interruptible
        self._lease.interruptible = False
        progress = self._lease.progress
        return None if progress is None else progress.as_json()

    def settle_in_thread(self) -> str | None:
        """Do what ``settle`` does, from a handler's thread."""
        return self._loop.result(self.settle())

    def completed(self, *, watched: bool) -> None:
        """Tell the runner, so that it sends no finish; and watchers, if there are any."""
        self._lease.completed = True
        self._loop.call(self._reopen)
        if watched:
            self._loop.call(self._outbox.announce, [self.task_id])

    def not_completed(self) -> None:
        """Let interrupts in again."""
        self._loop.call(self._reopen)

    def _reopen(self) -> None:
        if self._shut:
            self._lease.interruptible = True
            self._shut = False
