"""Schedules: tasks at the times that a cron expression names, or once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, JsonValue, field_validator

from pgqueue.cron import Cron, zone
from pgqueue.errors import UsageError
from pgqueue.models.base import Anything, Count, Input, Page, Record, Whole, examples
from pgqueue.models.base import Name as TypeName
from pgqueue.models.tasks.backoff import Backoff, RetryPolicy
from pgqueue.models.tasks.task import TaskOptions
from pgqueue.models.values import check_time, parse_priority, seconds

__all__ = [
    "SCHEDULE_NAME",
    "Backfill",
    "DueTimes",
    "Fate",
    "NewSchedule",
    "Schedule",
    "ScheduleChange",
    "ScheduleInput",
    "SchedulePage",
    "SchedulePreview",
    "ScheduleSettings",
    "Slot",
    "SlotPage",
    "due_times",
    "schedule_settings",
]

Missed = Literal["skip", "latest", "all"]
Overlap = Literal["allow", "skip", "cancel_previous", "queue_one"]
Fate = Literal["enqueued", "waiting", "skipped", "missed"]
_EXAMPLE: dict[str, JsonValue] = {
    "cron": "30 9 * * 1-5",
    "timezone": "Europe/Berlin",
    "type": "sleep",
    "payload": {"delay_ms": 100},
    "overlap": "skip",
}


SCHEDULE_NAME = "^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,99}$"

_Name = Annotated[
    str,
    Field(
        pattern=SCHEDULE_NAME,
        description="Its name, which may stand for its id in paths.",
        json_schema_extra={"not": {"const": "preview"}},
    ),
]


class ScheduleChange(TaskOptions):
    """What to change of a schedule; null removes a setting."""

    model_config = examples({"cron": "0 10 * * *"}, {"enabled": False})

    type: TypeName = Field(default_factory=str, description="Which handler runs its tasks.")
    cron: Annotated[str, Field(max_length=100)] | None = Field(
        default=None,
        description="Minute, hour, day of month, month, day of week: `30 9 * * 1-5`; or give "
        "`run_at`.",
    )
    run_at: AwareDatetime | None = Field(
        default=None, description="Once, at this time (RFC 3339); instead of `cron`."
    )
    timezone: Annotated[str, Field(max_length=100)] | None = Field(
        default=None, description="The IANA zone whose clock `cron` is read by; null: UTC."
    )
    starts_at: AwareDatetime | None = Field(default=None, description="Nothing is due before.")
    ends_at: AwareDatetime | None = Field(default=None, description="Nothing is due after.")
    jitter_s: Annotated[float, Field(ge=0, le=86_400)] | None = Field(
        default=None,
        description="Delay each time by up to so many seconds, always the same for one time; "
        "null: 0.",
    )
    enabled: bool | None = Field(default=None, description="false: paused; null: true.")
    missed: Missed | None = Field(
        default=None,
        description="What happens to times at which no scheduler ran; null: `latest`.",
    )
    missed_max: Annotated[int, Field(ge=1, le=1000), Whole] | None = Field(
        default=None, description="With `all`: how many of the latest are enqueued; null: 100."
    )
    overlap: Overlap | None = Field(
        default=None,
        description="What happens when a task of it has not ended by the next time; null: `allow`.",
    )


class ScheduleSettings(ScheduleChange):
    """All settings of a schedule. What you leave out takes its default."""

    model_config = examples(_EXAMPLE)

    type: TypeName = Field(description="Which handler runs its tasks.")


class ScheduleInput(ScheduleSettings):
    """A schedule to create: when, by `cron` or `run_at`, and what."""

    model_config = examples({"name": "workdays", **_EXAMPLE})

    name: _Name

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name == "preview":
            raise ValueError("'preview' is a path of its own: use another name")
        return name


class SchedulePreview(ScheduleChange):
    """A schedule, or only the settings that say when."""

    model_config = examples({"cron": "30 2 * * *", "timezone": "Europe/Berlin"})

    name: _Name = Field(default_factory=str)


class Backfill(Input):
    """A range of the past, at most 366 days long."""

    model_config = examples({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"})

    from_: AwareDatetime = Field(alias="from", description="The first time that counts.")
    to: AwareDatetime = Field(description="The end, which does not count.")


class DueTime(Record):
    """A time at which a schedule is due."""

    due_at: datetime = Field(description="In UTC.")
    local: datetime = Field(description="By the clock of its zone.")


class DueTimes(Record):
    """The next five times at which such a schedule is due."""

    due_times: list[DueTime] = Field(max_length=5)


class Schedule(Record):
    """A schedule as it stands."""

    id: UUID
    name: str
    state: Literal["active", "paused", "new", "invalid", "ended"] = Field(
        description="`new`: no scheduler has read its cron yet. `invalid`: see `error`. `ended`: "
        "it has no due time left."
    )
    cron: str | None
    run_at: datetime | None
    timezone: str
    type: TypeName
    payload: Anything
    queue: str | None
    priority: int | None
    max_attempts: int | None
    timeout_s: float | None
    retry: RetryPolicy | None
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
    next_due_at: datetime | None = Field(description="When it is due next.")
    last_due_at: datetime | None = Field(description="The latest due time that was dealt with.")
    last_task_id: UUID | None
    run_count: Count = Field(description="How many tasks it has enqueued.")
    error: str | None = Field(description="Why it cannot enqueue anything.")
    backfill_from: datetime | None = Field(description="How far a backfill has come.")
    backfill_to: datetime | None = Field(description="The end of a backfill; null: none runs.")
    declared_by: str | None = Field(
        description="The app whose code declares it: change it there; null: none does."
    )
    undeclared_at: datetime | None = Field(description="Since when the code no longer declares it.")
    version: int = Field(description="The version of its settings: the ETag without its quotes.")
    created_at: datetime


class SchedulePage(Page):
    """A page of schedules, by name."""

    items: list[Schedule]


class Slot(Record):
    """What became of a due time of a schedule."""

    due_at: datetime = Field(description="When it was due.")
    kind: Literal["due", "backfill", "trigger"]
    fate: Fate
    reason: str | None = Field(description="Why it was not enqueued.")
    task_id: UUID | None
    at: datetime = Field(description="When this was decided.")


class SlotPage(Page):
    """A page of due times, latest first. They are kept for a week."""

    items: list[Slot]


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
        """Return all that ``pgqueue.patch_schedule`` takes, or raise ``UsageError``."""
        due_times(self, datetime.now(UTC), 0)
        given = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return schedule_settings(given)


def due_times(schedule: NewSchedule, now: datetime, n: int) -> list[datetime]:
    """Return the next due times of a schedule, in its zone, or raise ``UsageError``."""
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


def schedule_settings(given: dict[str, Any]) -> dict[str, Any]:
    """Return settings as SQL takes them: None removes one."""
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
