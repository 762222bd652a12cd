"""Written from ``pgqueue.client.operations`` by ``make sync-client``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from pgqueue.client.operations import Operations
from pgqueue.client.sync.bridge import Bridged
from pgqueue.models.operation import Operation, Preview

__all__ = ["SyncOperations"]


class SyncOperations(Bridged[Operations]):
    """``client.operations``: work on many tasks at once.

    An operation runs on any supervisor, in throttled parts, and goes on if that one dies. ``kind``
    is ``redrive`` or ``delete`` of dead letters, or ``cancel`` of tasks that have not ended. A
    filter holds any of type, queue, from, to, ids, and fingerprint or status; or ``{"all": True}``.
    """

    def start(
        self,
        kind: str,
        filter: Mapping[str, Any],
        *,
        per_second: float = 100,
        reason: str | None = None,
        requested_by: str | None = None,
    ) -> Operation:
        """Start an operation of at most ``per_second`` tasks a second, and return it."""
        return self._bridge.run(
            self._twin.start(
                kind, filter, per_second=per_second, reason=reason, requested_by=requested_by
            )
        )

    def preview(self, kind: str, filter: Mapping[str, Any]) -> Preview:
        """Return what an operation would do; stores nothing."""
        return self._bridge.run(self._twin.preview(kind, filter))

    def get(self, id: str | UUID) -> Operation:
        """Return an operation as it is now; ``NotFound`` if there is none."""
        return self._bridge.run(self._twin.get(id))

    def latest(self, *, limit: int = 50, before: str | UUID | None = None) -> list[Operation]:
        """Return the latest operations, or those before one."""
        return self._bridge.run(self._twin.latest(limit=limit, before=before))

    def cancel(self, id: str | UUID) -> Operation:
        """Stop an operation after the part that runs now; what is done stays done."""
        return self._bridge.run(self._twin.cancel(id))

    def wait(self, id: str | UUID, timeout: timedelta | float | None = None) -> Operation:
        """Return the operation once it has ended, or raise ``TimeoutError``: it goes on."""
        return self._bridge.run(self._twin.wait(id, timeout))
