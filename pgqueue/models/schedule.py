"""Schedules: tasks at the times that a cron expression names, or once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from pgqueue.cron import Cron, zone
from pgqueue.errors import UsageError
from pgqueue.models.backoff import Backoff
from pgqueue.models.values import check_time, parse_priority, seconds

__all__ = ["NewSchedule", "Schedule", "Slot", "due_times", "schedule_settings"]

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
        return schedule_settings(given)


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


def schedule_settings(given: dict[str, Any]) -> dict[str, Any]:
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
