"""Written from ``pgqueue.client.schedules`` by ``make sync-client``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Unpack
from uuid import UUID

from pgqueue.client.schedules import Schedules
from pgqueue.client.sync.bridge import Bridged
from pgqueue.models.schedule import Schedule, ScheduleChanges, ScheduleOptions, Slot
from pgqueue.models.tasks.status import TaskId

__all__ = ["SyncSchedules"]


class SyncSchedules(Bridged[Schedules]):
    """``client.schedules``: made, read and changed by name or id.

    The payload of a schedule is written and checked as that of a task.
    """

    def create(
        self, name: str, type: str, payload: Any = ..., **options: Unpack[ScheduleOptions]
    ) -> Schedule:
        """Make a schedule and return it; ``Conflict`` when there is one of this name."""
        return self._bridge.run(self._twin.create(name, type, payload, **options))

    def put(
        self, name: str, type: str, payload: Any = ..., **options: Unpack[ScheduleOptions]
    ) -> Schedule:
        """Make a schedule, or replace the one of the same name, and return it."""
        return self._bridge.run(self._twin.put(name, type, payload, **options))

    def update(
        self, name: str, *, version: int | None = None, **changes: Unpack[ScheduleChanges]
    ) -> Schedule:
        """Change what is given of a schedule and return it.

        With ``version`` only if that is still its version: ``Stale`` if it was changed since.
        ``NotFound`` if there is none.
        """
        return self._bridge.run(self._twin.update(name, version=version, **changes))

    def get(self, name: str | UUID) -> Schedule:
        """Return a schedule; ``NotFound`` if there is none."""
        return self._bridge.run(self._twin.get(name))

    def find(self, *, limit: int = 100, after: Schedule | None = None) -> list[Schedule]:
        """Return schedules by name; ``after``: the last one of a page."""
        return self._bridge.run(self._twin.find(limit=limit, after=after))

    def delete(self, name: str | UUID) -> None:
        """Delete a schedule; its tasks stay. ``NotFound`` if there is none."""
        self._bridge.run(self._twin.delete(name))

    def pause(self, name: str | UUID) -> Schedule:
        """Enqueue nothing until ``resume``; what is due in the meantime is not made up for."""
        return self._bridge.run(self._twin.pause(name))

    def resume(self, name: str | UUID) -> Schedule:
        """Go on with the next due time from now."""
        return self._bridge.run(self._twin.resume(name))

    def trigger(self, name: str | UUID) -> TaskId:
        """Enqueue its task now, whatever ``overlap`` says, and return the id."""
        return self._bridge.run(self._twin.trigger(name))

    def backfill(self, name: str | UUID, start: datetime, end: datetime) -> None:
        """Enqueue a task for each due time from ``start`` to before ``end`` that has none."""
        self._bridge.run(self._twin.backfill(name, start, end))

    def slots(
        self, name: str | UUID, *, limit: int = 100, before: Slot | None = None
    ) -> list[Slot]:
        """Return what became of its due times, latest first; ``before``: the last one of a page."""
        return self._bridge.run(self._twin.slots(name, limit=limit, before=before))

    def preview(self, cron: str, timezone: str = "UTC", *, n: int = 5) -> list[datetime]:
        """Return the next due times of an expression, in its zone; stores nothing."""
        return self._bridge.run(self._twin.preview(cron, timezone, n=n))
