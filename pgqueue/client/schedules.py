"""Schedules: tasks at the times that a cron expression names, or once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from pgqueue.cron import Cron
from pgqueue.database.link import fetched
from pgqueue.database.queries import query
from pgqueue.errors import Conflict, NotFound, Stale, UsageError
from pgqueue.models.schedule import NewSchedule, Schedule, Slot, due_times, schedule_settings
from pgqueue.models.task import TaskId
from pgqueue.models.values import check_time, encode
from pgqueue.planning import DueSchedule, plan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime
    from uuid import UUID

    import psycopg

    Connect = Callable[[], AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]]
    Call = Callable[[str, Mapping[str, Any]], Awaitable[list[dict[str, Any]]]]

__all__ = ["Schedules", "settle"]


class Schedules:
    """``app.schedules``: made, read and changed by name or id."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    async def create(self, name: str, type: str, payload: Any = None, **options: Any) -> Schedule:
        """Make a schedule and give it; ``options`` are those of ``NewSchedule``.

        Raises ``Conflict`` when there is one of this name.
        """
        settings = NewSchedule(type, payload, **options).as_settings()
        if await self._patch(name, settings, [0]) is None:
            message = f"there is a schedule {name!r} already"
            raise Conflict(message, hint="update it, or put another in its place")
        return await self.get(name)

    async def put(self, name: str, type: str, payload: Any = None, **options: Any) -> Schedule:
        """Make a schedule, or put it in the place of one of the same name, and give it."""
        await self._patch(name, NewSchedule(type, payload, **options).as_settings(), None)
        return await self.get(name)

    async def update(self, name: str, *, version: int | None = None, **changes: Any) -> Schedule:
        """Change what is given of a schedule and give it; the words are those of ``NewSchedule``.

        With ``version`` only as it was read: ``Stale`` if it was changed since. ``NotFound`` if
        there is none.
        """
        unknown = changes.keys() - NewSchedule.__dataclass_fields__.keys()
        if unknown:
            message = f"a schedule has no {min(unknown)}"
            raise UsageError(message, hint="the words are those of NewSchedule")
        known = await self.get(name)
        timing = {**known.model_dump(include={"cron", "run_at", "timezone"}), **changes}
        if timing["cron"] is not None:
            Cron(timing["cron"], timing["timezone"])
        versions = [known.version if version is None else version]
        if await self._patch(name, schedule_settings(changes), versions) is None:
            message = f"schedule {name!r} was changed since"
            raise Stale(message, hint="read it again, and decide again")
        return await self.get(name)

    async def get(self, name: str | UUID) -> Schedule:
        """Give a schedule; ``NotFound`` if there is none."""
        rows = await self._rows("get_schedule", {"which": str(name)})
        if not rows:
            raise _unknown(name)
        return Schedule(**rows[0])

    async def find(self, *, limit: int = 100, after: Schedule | None = None) -> list[Schedule]:
        """Give schedules by name; ``after``: the last one of a page."""
        parameters = {"most": limit, "after": after and after.name}
        return [Schedule(**row) for row in await self._rows("find_schedules", parameters)]

    async def delete(self, name: str | UUID) -> None:
        """Delete a schedule; its tasks stay. ``NotFound`` if there is none."""
        rows = await self._rows("delete_schedule", {"name": str(name), "versions": None})
        if not rows[0]["deleted"]:
            raise _unknown(name)

    async def pause(self, name: str | UUID) -> Schedule:
        """Let it enqueue nothing until ``resume``; what is due meanwhile is not made up for."""
        await self._rows("pause_schedule", {"name": str(name)})
        return await self.get(name)

    async def resume(self, name: str | UUID) -> Schedule:
        """Let it go on with the next due time from now."""
        await self._rows("resume_schedule", {"name": str(name)})
        await settle(self._rows, str(name))
        return await self.get(name)

    async def trigger(self, name: str | UUID) -> TaskId:
        """Enqueue its task now, whatever it says of overlaps, and give the id."""
        rows = await self._rows("trigger_schedule", {"name": str(name)})
        return TaskId(rows[0]["task_id"])

    async def backfill(self, name: str | UUID, start: datetime, end: datetime) -> None:
        """Have a task enqueued for each due time from ``start`` to before ``end`` without one."""
        check_time(start, "start")
        check_time(end, "end")
        parameters = {"name": str(name), "from_at": start, "to_at": end}
        await self._rows("backfill_schedule", parameters)

    async def slots(
        self, name: str | UUID, *, limit: int = 100, before: Slot | None = None
    ) -> list[Slot]:
        """Give what became of its due times, latest first; ``before``: the last one of a page."""
        parameters = {"which": str(name), "most": limit, "before": before and before.due_at}
        return [Slot(**row) for row in await self._rows("find_schedule_slots", parameters)]

    async def preview(self, cron: str, timezone: str = "UTC", *, n: int = 5) -> list[datetime]:
        """Give the next due times of an expression, in its zone; stores nothing."""
        now = (await self._rows("clock", {}))[0]["now"]
        return due_times(NewSchedule("preview", cron=cron, timezone=timezone), now, n)

    async def _patch(
        self, name: str, settings: dict[str, Any], versions: list[int] | None
    ) -> int | None:
        parameters = {"name": name, "settings": encode(settings).decode(), "versions": versions}
        rows = await self._rows("patch_schedule", parameters)
        version: int | None = rows[0]["version"]
        if version is not None:
            await settle(self._rows, name)
        return version

    async def _rows(self, name: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        async with self._connect() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(query(name), parameters)
            return await fetched(cursor)


async def settle(call: Call, which: str) -> None:
    """Have the next due time of a schedule known now: else the next scheduler would see to it."""
    for row in await call("schedule_to_plan", {"which": which}):
        planned = encode([plan(DueSchedule(**row))]).decode()
        await call("fire_schedules", {"plans": planned})


def _unknown(name: str | UUID) -> NotFound:
    return NotFound(f"there is no schedule {str(name)!r}")
