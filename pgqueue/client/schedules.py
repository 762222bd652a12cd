"""Schedules: tasks at the times that a cron expression names, or once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from pgqueue.client.calls import Part, Row, page_size
from pgqueue.cron import Cron
from pgqueue.errors import Conflict, NotFound, Stale
from pgqueue.handlers.task_type import prepared
from pgqueue.models.schedule import (
    NewSchedule,
    Schedule,
    ScheduleChanges,
    ScheduleOptions,
    Slot,
    Timing,
    changed,
)
from pgqueue.models.tasks.status import TaskId
from pgqueue.models.values import check_time, encode
from pgqueue.planning import DueSchedule, plan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime
    from uuid import UUID

    from pgqueue.client.calls import Calls
    from pgqueue.handlers.task_type import TaskType

    Call = Callable[[str, Mapping[str, Any]], Awaitable[list[dict[str, Any]]]]

__all__ = ["Schedules", "settle"]


class Schedules(Part):
    """``app.schedules``: made, read and changed by name or id.

    The payload of a schedule is written and checked as that of a task.
    """

    def __init__(self, calls: Calls, types: Mapping[str, TaskType]) -> None:
        super().__init__(calls)
        self._types = types

    async def create(
        self, name: str, type: str, payload: Any = ..., **options: Unpack[ScheduleOptions]
    ) -> Schedule:
        """Make a schedule and return it; ``Conflict`` when there is one of this name."""
        settings = self._settings(NewSchedule(type, payload, **options))
        if await self._patch(name, settings, [0]) is None:
            raise Conflict(
                f"there is a schedule {name!r} already", hint="update it, or replace it with put"
            )
        return await self.get(name)

    async def put(
        self, name: str, type: str, payload: Any = ..., **options: Unpack[ScheduleOptions]
    ) -> Schedule:
        """Make a schedule, or replace the one of the same name, and return it."""
        await self._patch(name, self._settings(NewSchedule(type, payload, **options)), None)
        return await self.get(name)

    async def update(
        self, name: str, *, version: int | None = None, **changes: Unpack[ScheduleChanges]
    ) -> Schedule:
        """Change what is given of a schedule and return it.

        With ``version`` only if that is still its version: ``Stale`` if it was changed since.
        ``NotFound`` if there is none.
        """
        settings = changed(changes)
        known = await self.get(name)
        if "payload" in settings:
            type = settings.get("type", known.type)
            settings["payload"] = prepared(self._types, type, settings["payload"])
        timing = {**known.model_dump(include={"cron", "run_at", "timezone"}), **changes}
        if timing["cron"] is not None:
            Cron(timing["cron"], timing["timezone"] or "UTC")
        versions = [known.version if version is None else version]
        if await self._patch(name, settings, versions) is None:
            raise Stale(
                f"schedule {name!r} was changed since it was read",
                hint="read it again, and decide again",
            )
        return await self.get(name)

    async def get(self, name: str | UUID) -> Schedule:
        """Return a schedule; ``NotFound`` if there is none."""
        rows = await self._calls.rows("schedule_state", which=str(name))
        if not rows:
            raise _unknown(name)
        return Schedule.model_validate_json(rows[0]["state"])

    async def find(self, *, limit: int = 100, after: Schedule | None = None) -> list[Schedule]:
        """Return schedules by name; ``after``: the last one of a page."""
        found: list[Schedule] = []
        name, limit = after and after.name, min(page_size(limit), 1000)
        while True:  # a call returns 4 MiB at most, and then a row without an item
            page = {"after": name, "max_rows": limit - len(found), "type": None, "queue": None}
            rows = await self._calls.rows("list_schedules", **page)
            items = [row["item"] for row in rows if row["item"] is not None]
            found += [Schedule.model_validate_json(item) for item in items]
            if len(items) == len(rows):
                return found
            name = found[-1].name

    async def delete(self, name: str | UUID) -> None:
        """Delete a schedule; its tasks stay. ``NotFound`` if there is none."""
        rows = await self._calls.rows("delete_schedule", name=str(name), versions=None)
        if not rows[0]["deleted"]:
            raise _unknown(name)

    async def pause(self, name: str | UUID) -> Schedule:
        """Enqueue nothing until ``resume``; what is due in the meantime is not made up for."""
        await self._calls.rows("pause_schedule", name=str(name))
        return await self.get(name)

    async def resume(self, name: str | UUID) -> Schedule:
        """Go on with the next due time from now."""
        await self._calls.rows("resume_schedule", name=str(name))
        await settle(self._call, str(name))
        return await self.get(name)

    async def trigger(self, name: str | UUID) -> TaskId:
        """Enqueue its task now, whatever ``overlap`` says, and return the id."""
        rows = await self._calls.rows("trigger_schedule", name=str(name))
        return TaskId(rows[0]["task_id"])

    async def backfill(self, name: str | UUID, start: datetime, end: datetime) -> None:
        """Enqueue a task for each due time from ``start`` to before ``end`` that has none."""
        check_time(start, "start")
        check_time(end, "end")
        await self._calls.rows("backfill_schedule", name=str(name), from_at=start, to_at=end)

    async def slots(
        self, name: str | UUID, *, limit: int = 100, before: Slot | None = None
    ) -> list[Slot]:
        """Return what became of its due times, latest first; ``before``: the last one of a page."""
        place = before and before.due_at
        rows = await self._calls.rows(
            "find_schedule_slots", which=str(name), max_rows=page_size(limit), before=place
        )
        return [Slot(**row) for row in rows]

    async def preview(self, cron: str, timezone: str = "UTC", *, n: int = 5) -> list[datetime]:
        """Return the next due times of an expression, in its zone; stores nothing."""
        page_size(n, "n")
        now = await self._calls.value("clock")
        return Timing(cron, timezone=timezone).due_times(now, n)

    def _settings(self, new: NewSchedule) -> dict[str, Any]:
        payload = prepared(self._types, new.type, new.given)
        return {**new.as_settings(), "payload": payload}

    async def _patch(
        self, name: str, settings: dict[str, Any], versions: list[int] | None
    ) -> int | None:
        version: int | None = await self._calls.value(
            "patch_schedule", name=name, settings=encode(settings).decode(), versions=versions
        )
        if version is not None:
            await settle(self._call, name)
        return version

    async def _call(self, name: str, parameters: Mapping[str, Any]) -> list[Row]:
        return await self._calls.rows(name, **parameters)


async def settle(call: Call, which: str) -> None:
    """Plan the next due time of a schedule now, instead of leaving it to the next scheduler."""
    for row in await call("schedule_to_plan", {"which": which}):
        planned = encode([plan(DueSchedule(**row))]).decode()
        await call("fire_schedules", {"plans": planned})


def _unknown(name: str | UUID) -> NotFound:
    return NotFound(f"there is no schedule {str(name)!r}")
