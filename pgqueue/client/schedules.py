"""Schedules: tasks at the times that a cron expression names, or once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from psycopg.rows import dict_row
from pydantic import BaseModel, ConfigDict

from pgqueue.cron import Cron, zone
from pgqueue.database.link import fetched
from pgqueue.database.queries import query
from pgqueue.errors import Conflict, NotFound, Stale, UsageError
from pgqueue.models.backoff import Backoff
from pgqueue.models.task import TaskId, check_time, encode, parse_priority, seconds
from pgqueue.planning import DueSchedule, plan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    import psycopg

    Connect = Callable[[], AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]]
    Call = Callable[[str, Mapping[str, Any]], Awaitable[list[dict[str, Any]]]]

__all__ = ["NewSchedule", "Schedule", "Schedules", "Slot", "due_times", "settle"]

Missed = Literal["skip", "latest", "all"]
Overlap = Literal["allow", "skip", "cancel_previous", "queue_one"]


class Schedule(BaseModel):
    """A schedule as it stands, with the same words as the view ``pgqueue.schedules``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    name: str
    state: Literal["active", "paused", "new", "invalid", "ended"]
    cron: str | None
    run_at: datetime | None
    timezone: str
    type: str
    payload: Any
    queue: str | None
    priority: int | None
    max_attempts: int | None
    timeout_s: float | None
    retry: dict[str, Any] | None
    expires_in_s: float | None
    limit_key: str | None
    cost: int | None
    fairness_key: str | None
    enabled: bool
    starts_at: datetime | None
    ends_at: datetime | None
    jitter_s: float
    missed: Missed
    missed_max: int
    overlap: Overlap
    next_due_at: datetime | None
    last_due_at: datetime | None
    last_task_id: UUID | None
    run_count: int
    error: str | None
    backfill_from: datetime | None
    backfill_to: datetime | None
    declared_by: str | None
    undeclared_at: datetime | None
    version: int
    created_at: datetime


class Slot(BaseModel):
    """What became of a due time, with the same words as the view ``pgqueue.schedule_slots``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    due_at: datetime
    kind: Literal["due", "backfill", "trigger"]
    fate: Literal["enqueued", "waiting", "skipped", "missed"]
    reason: str | None
    task_id: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """A schedule to make: ``cron`` (five fields) or ``run_at`` says when, the rest what.

    ``starts_at``, ``ends_at`` and ``run_at`` need a time zone; ``jitter`` is in seconds or a
    ``timedelta``. What is ``None`` comes from the task's type. See docs/schedules.md.
    """

    type: str
    payload: Any = None
    cron: str | None = None
    run_at: datetime | None = None
    timezone: str = "UTC"
    queue: str | None = None
    priority: int | str | None = None
    max_attempts: int | None = None
    timeout: timedelta | float | None = None
    retry: Backoff | None = None
    expires_in: timedelta | float | None = None
    limit_key: str | None = None
    cost: int | None = None
    fairness_key: str | None = None
    enabled: bool = True
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    jitter: timedelta | float = 0
    missed: Missed = "latest"
    missed_max: int = 100
    overlap: Overlap = "allow"

    def as_settings(self) -> dict[str, Any]:
        """Give all that ``pgqueue.patch_schedule`` takes, or raise ``UsageError``."""
        due_times(self, datetime.now(UTC), 0)
        given = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return _settings(given)


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
        if await self._patch(name, _settings(changes), versions) is None:
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


def due_times(schedule: NewSchedule, now: datetime, n: int) -> list[datetime]:
    """Give the next due times of a schedule, in its zone, or raise ``UsageError``."""
    there = zone(schedule.timezone)
    if (schedule.cron is None) == (schedule.run_at is None):
        message = "a schedule has either cron or run_at"
        raise UsageError(message, hint='such as cron="30 9 * * 1-5"')
    for name in ("run_at", "starts_at", "ends_at"):
        check_time(getattr(schedule, name), name)
    if schedule.run_at is not None:
        return [schedule.run_at.astimezone(there)][:n]
    assert schedule.cron is not None
    cron = Cron(schedule.cron, schedule.timezone)
    start = now
    if schedule.starts_at is not None:
        start = max(now, schedule.starts_at - timedelta(microseconds=1))
    end = schedule.ends_at or datetime.max.replace(tzinfo=UTC)
    return [due.astimezone(there) for due in islice(cron.between(start, end), n)]


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """Give settings in the words of SQL: None takes one away."""
    settings = dict(given)
    for name in ("run_at", "starts_at", "ends_at"):
        if settings.get(name) is not None:
            check_time(settings[name], name)
            settings[name] = settings[name].isoformat()
    for name in ("timeout", "expires_in", "jitter"):
        if name in settings:
            settings[f"{name}_s"] = seconds(settings.pop(name))
    if "priority" in settings:
        settings["priority"] = parse_priority(settings["priority"])
    if isinstance(settings.get("retry"), Backoff):
        settings["retry"] = settings["retry"].as_policy()
    return settings


def _unknown(name: str | UUID) -> NotFound:
    return NotFound(f"there is no schedule {str(name)!r}")
