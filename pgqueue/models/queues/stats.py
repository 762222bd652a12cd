"""Statistics: counts, rates and percentiles of the whole service."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from pgqueue.models.base import Count, Record

__all__ = ["Day", "Duty", "Percentiles", "Stats"]


class Percentiles(Record):
    """In seconds, from a histogram whose buckets double: right within a factor of about 1.5."""

    n: Count
    p50: float | None
    p95: float | None
    p99: float | None


class Day(Record):
    """How many tasks ended on a day."""

    day: date
    completed: int
    failed: int
    cancelled: int


class Duty(Record):
    """A duty of maintenance."""

    duty: str
    state: Literal["ok", "late", "failing"] = Field(
        description="`failing`: its last run failed. `late`: it is late by more than its interval "
        "and 30 s."
    )
    lag_s: float = Field(description="How late its next run is; 0: it is not late.")
    interval_s: float = Field(description="The time between runs when there is little to do.")
    last_started_at: datetime = Field(description="When its last run began.")
    last_finished_at: datetime | None = Field(
        description="When the last run that succeeded ended; null: none has."
    )
    last_duration_s: float | None = Field(description="How long that run took.")
    run_by: str | None = Field(description="The supervisor that reported last.")
    last_error: str | None = Field(
        description="The error of the last run that failed; null: none has."
    )
    last_error_at: datetime | None = Field(description="When that was; null: never.")


class Stats(Record):
    """The statistics of the service."""

    at: datetime = Field(description="The time of this reading.")
    uptime_s: float = Field(description="Of the API process that answers.")
    window_s: Count
    counts: dict[str, int] = Field(
        description="How many tasks by status: live ones as sampled, ended ones from the roll-up."
    )
    active_workers: Count
    success_rate: float | None = Field(
        description="The share of completed tasks among those that completed or failed in the "
        "window; null: there were none."
    )
    throughput_per_s: float = Field(description="Tasks that ended in the window, per second.")
    wait_s: Percentiles
    run_s: Percentiles
    days: list[Day] = Field(description="The last 7 days in UTC, oldest first.")
    sampled_at: datetime | None = Field(description="When live tasks were counted; null: not yet.")
    maintenance: list[Duty] = Field(description="Each duty that a supervisor has reported on.")
