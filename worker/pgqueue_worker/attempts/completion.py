"""How a transaction of a handler completes an attempt of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgqueue_worker.attempts.lease import Lease
    from pgqueue_worker.attempts.reporter import Reporter


class Completion:
    """The ``Attempt`` of ``transactions``: a lease that this process holds."""

    def __init__(self, lease: Lease, reporter: Reporter) -> None:
        self.task_id = lease.task_id
        self.lease_id = lease.lease_id
        self.type = lease.type
        self._lease = lease
        self._reporter = reporter
        self._shut = False

    async def settle(self) -> dict[str, Any] | None:
        """Wait for its log lines, which are refused once it has ended, and shut out interrupts.

        An interrupt during the commit could leave open what happened.
        """
        if self._lease.unsent_events:
            await self._reporter.sent(self._lease)
        self._shut = self._lease.interruptible
        self._lease.interruptible = False
        return self._lease.progress

    def settle_in_thread(self) -> dict[str, Any] | None:
        """``settle`` from a handler's thread."""
        return self._reporter.wait_for(self.settle())

    def completed(self, *, watched: bool) -> None:
        """Let the runner know, so that it sends no finish, and watchers too."""
        self._lease.completed = True
        self._reporter.in_loop(self._reopen)
        if watched:
            self._reporter.in_loop(self._reporter.announce, [self.task_id])

    def not_completed(self) -> None:
        """Let interrupts in again."""
        self._reporter.in_loop(self._reopen)

    def _reopen(self) -> None:
        if self._shut:
            self._lease.interruptible = True
            self._shut = False
