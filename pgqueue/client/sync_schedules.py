"""``SyncClient.schedules``: the calls of ``PgQueue.schedules`` for plain functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime
    from uuid import UUID

    from pgqueue.client.app import PgQueue
    from pgqueue.models.schedule import Schedule, Slot
    from pgqueue.models.task import TaskId

Answer = TypeVar("Answer")


class Run(Protocol):
    """Runs a call of ``PgQueue``'s to its end."""

    def __call__(self, call: Callable[[PgQueue], Coroutine[Any, Any, Answer]], /) -> Answer:
        """Give what the call gave."""


class SyncSchedules:
    """Each does what the one of the same name in ``Schedules`` does."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def create(self, name: str, type: str, payload: Any = None, **options: Any) -> Schedule:
        """Make a schedule."""
        return self._run(lambda app: app.schedules.create(name, type, payload, **options))

    def put(self, name: str, type: str, payload: Any = None, **options: Any) -> Schedule:
        """Make a schedule, or put it in the place of one of the same name."""
        return self._run(lambda app: app.schedules.put(name, type, payload, **options))

    def update(self, name: str, *, version: int | None = None, **changes: Any) -> Schedule:
        """Change what is given."""
        return self._run(lambda app: app.schedules.update(name, version=version, **changes))

    def get(self, name: str | UUID) -> Schedule:
        """Give a schedule."""
        return self._run(lambda app: app.schedules.get(name))

    def find(self, *, limit: int = 100, after: Schedule | None = None) -> list[Schedule]:
        """Give schedules by name."""
        return self._run(lambda app: app.schedules.find(limit=limit, after=after))

    def delete(self, name: str | UUID) -> None:
        """Delete a schedule."""
        self._run(lambda app: app.schedules.delete(name))

    def pause(self, name: str | UUID) -> Schedule:
        """Let it enqueue nothing until ``resume``."""
        return self._run(lambda app: app.schedules.pause(name))

    def resume(self, name: str | UUID) -> Schedule:
        """Let it go on."""
        return self._run(lambda app: app.schedules.resume(name))

    def trigger(self, name: str | UUID) -> TaskId:
        """Enqueue its task now."""
        return self._run(lambda app: app.schedules.trigger(name))

    def backfill(self, name: str | UUID, start: datetime, end: datetime) -> None:
        """Have a task enqueued for each due time of a range."""
        self._run(lambda app: app.schedules.backfill(name, start, end))

    def slots(
        self, name: str | UUID, *, limit: int = 100, before: Slot | None = None
    ) -> list[Slot]:
        """Give what became of its due times."""
        return self._run(lambda app: app.schedules.slots(name, limit=limit, before=before))

    def preview(self, cron: str, timezone: str = "UTC", *, n: int = 5) -> list[datetime]:
        """Give the next due times of an expression."""
        return self._run(lambda app: app.schedules.preview(cron, timezone, n=n))
