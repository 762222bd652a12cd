"""Schedules: tasks at the times that a cron expression names, or once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Any, Literal, Unpack

from pydantic import AwareDatetime, Field, JsonValue, field_validator

from pgqueue.cron import Cron, zone
from pgqueue.errors import UsageError
from pgqueue.models.base import Anything, Count, Input, Page, Record, Uuid, Whole, examples
from pgqueue.models.base import Name as TypeName
from pgqueue.models.tasks.options import as_settings, check_names, given, sql_names, text_lists
from pgqueue.models.tasks.task import RunOptions, StoredScheduleOptions, TaskOptions
from pgqueue.models.values import check_time

__all__ = [
    "SCHEDULE_NAME",
    "Backfill",
    "DueTimes",
    "Fate",
    "NewSchedule",
    "Schedule",
    "ScheduleChange",
    "ScheduleChanges",
    "ScheduleInput",
    "ScheduleOptions",
    "SchedulePage",
    "SchedulePreview",
    "ScheduleSettings",
    "Slot",
    "SlotPage",
    "Timing",
    "changed",
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
        description="Its name, which you can use instead of its id in paths.",
        json_schema_extra={"not": {"const": "preview"}},
    ),
]


class ScheduleChange(TaskOptions):
    """What to change of a schedule; null removes a setting."""

    model_config = examples({"cron": "0 10 * * *"}, {"enabled": False})

    type: TypeName = Field(
        default_factory=str, description="The type of its tasks, which names their handler."
    )
    cron: Annotated[str, Field(max_length=100)] | None = Field(
        default=None,
        description="Minute, hour, day of month, month, day of week, such as `30 9 * * 1-5`; or "
        "use `run_at`.",
    )
    run_at: AwareDatetime | None = Field(
        default=None, description="A single time (RFC 3339), instead of `cron`."
    )
    timezone: Annotated[str, Field(max_length=100)] | None = Field(
        default=None, description="The IANA zone whose clock `cron` is read by; null: UTC."
    )
    starts_at: AwareDatetime | None = Field(
        default=None, description="Nothing is due before this time."
    )
    ends_at: AwareDatetime | None = Field(
        default=None, description="Nothing is due after this time."
    )
    jitter_s: Annotated[float, Field(ge=0, le=86_400)] | None = Field(
        default=None,
        description="Delay each due time by up to this many seconds, always by the same amount "
        "for the same time; null: 0.",
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
        description="What happens if a task of the schedule has not ended by the next due time; "
        "null: `allow`.",
    )


class ScheduleSettings(ScheduleChange):
    """All settings of a schedule. What you leave out takes its default."""

    model_config = examples(_EXAMPLE)

    type: TypeName = Field(description="The type of its tasks, which names their handler.")


class ScheduleInput(ScheduleSettings):
    """A schedule to create: when to enqueue (`cron` or `run_at`), and what."""

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

    from_: AwareDatetime = Field(alias="from", description="The start of the range, included.")
    to: AwareDatetime = Field(description="The end of the range, not included.")


class DueTime(Record):
    """A time at which a schedule is due."""

    due_at: datetime = Field(description="In UTC.")
    local: datetime = Field(description="By the clock of its zone.")


class DueTimes(Record):
    """The next five times at which such a schedule is due."""

    due_times: list[DueTime] = Field(max_length=5)


class _Course(Record):
    """When a schedule is due, and what becomes of it."""

    id: Uuid
    name: str
    state: Literal["active", "paused", "new", "invalid", "ended"] = Field(
        description="`new`: no scheduler has read its cron yet. `invalid`: see `error`. `ended`: "
        "it has no due time left."
    )
    cron: str | None
    run_at: datetime | None
    timezone: str
    enabled: bool
    starts_at: datetime | None
    ends_at: datetime | None
    jitter_s: float
    missed: Missed
    missed_max: int
    overlap: Overlap
    next_due_at: datetime | None = Field(description="When it is due next.")
    last_due_at: datetime | None = Field(description="The latest due time that was dealt with.")
    last_task_id: Uuid | None
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


class Schedule(StoredScheduleOptions, _Course):
    """A schedule as it stands."""

    type: TypeName
    payload: Anything


class SchedulePage(Page):
    """A page of schedules, by name."""

    items: list[Schedule]


class Slot(Record):
    """The outcome of a due time of a schedule."""

    due_at: datetime = Field(description="When it was due.")
    kind: Literal["due", "backfill", "trigger"]
    fate: Fate
    reason: str | None = Field(description="Why it was not enqueued.")
    task_id: Uuid | None
    at: datetime = Field(description="When this was decided.")


class SlotPage(Page):
    """A page of due times, latest first. They are kept for a week."""

    items: list[Slot]


class ScheduleOptions(RunOptions, total=False):
    """The options of a schedule: ``cron`` (five fields) or ``run_at`` says when, and how it runs.

    ``starts_at``, ``ends_at`` and ``run_at`` need a time zone; ``jitter`` is in seconds or a
    ``timedelta``. What is None takes its default: see docs/schedules.md.
    """

    cron: str | None
    run_at: datetime | None
    timezone: str | None
    enabled: bool | None
    starts_at: datetime | None
    ends_at: datetime | None
    jitter: timedelta | float | None
    missed: Missed | None
    missed_max: int | None
    overlap: Overlap | None


class ScheduleChanges(ScheduleOptions, total=False):
    """What to change of a schedule: any option, its type and its payload; None: the default."""

    type: str
    payload: Any


_NAMES = sql_names(ScheduleChanges)
_OPTIONS = sql_names(ScheduleOptions)
_LISTS = text_lists(ScheduleOptions)


@dataclass(frozen=True, slots=True)
class Timing:
    """When a schedule is due."""

    cron: str | None = None
    run_at: datetime | None = None
    timezone: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def due_times(self, now: datetime, n: int) -> list[datetime]:
        """Return the next due times, in its zone, or raise ``UsageError``."""
        there = zone(self.timezone or "UTC")
        if (self.cron is None) == (self.run_at is None):
            message = "a schedule has either cron or run_at"
            raise UsageError(message, hint='such as cron="30 9 * * 1-5"')
        for name in ("run_at", "starts_at", "ends_at"):
            check_time(getattr(self, name), name)
        if self.run_at is not None:
            return [self.run_at.astimezone(there)][:n]
        assert self.cron is not None
        cron = Cron(self.cron, self.timezone or "UTC")
        start = now
        if self.starts_at is not None:
            start = max(now, self.starts_at - timedelta(microseconds=1))
        end = self.ends_at or datetime.max.replace(tzinfo=UTC)
        return [due.astimezone(there) for due in islice(cron.between(start, end), n)]


@dataclass(frozen=True, slots=True, init=False)
class NewSchedule:
    """A schedule to make, with the options of ``ScheduleOptions``."""

    type: str
    payload: Any
    options: ScheduleOptions
    """Those that are not None."""

    def __init__(self, type: str, payload: Any = ..., **options: Unpack[ScheduleOptions]) -> None:
        object.__setattr__(self, "type", type)
        object.__setattr__(self, "payload", payload)
        object.__setattr__(self, "options", given("a schedule", options, _OPTIONS))

    def as_settings(self) -> dict[str, Any]:
        """Return all that ``pgqueue.patch_schedule`` takes, or raise ``UsageError``."""
        timing: dict[str, Any] = {
            field.name: self.options.get(field.name) for field in fields(Timing)
        }
        Timing(**timing).due_times(datetime.now(UTC), 0)
        default = dict.fromkeys(_OPTIONS.values())
        settings = as_settings(self.options, _OPTIONS, _LISTS, ScheduleSettings)
        return {**default, "type": self.type, "payload": self.given, **settings}

    @property
    def given(self) -> Any:
        """The payload of its tasks: ``{}`` if it was left out."""
        return {} if self.payload is ... else self.payload


def changed(changes: ScheduleChanges) -> dict[str, Any]:
    """Return changes as ``pgqueue.patch_schedule`` takes them, or raise ``UsageError``."""
    check_names("a schedule", changes.keys(), _NAMES)
    return as_settings(changes, _NAMES, _LISTS, ScheduleSettings)
