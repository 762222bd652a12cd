"""Queues as they stand, and whether their tasks start."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Queue(BaseModel):
    """A queue as it stands, with the same words as the view ``pgqueue.queues``.

    Its counts were taken at ``sampled_at``; ``state`` and ``still_running`` (of a paused queue) are
    of this moment. ``draining``: it is paused, and some of its tasks still run.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    state: Literal["active", "draining", "paused"]
    queued: int
    scheduled: int
    retrying: int
    blocked: int
    active: int
    dead_letters: int
    workers: int
    oldest_queued_at: datetime | None
    sampled_at: datetime | None
    concurrency: int | None
    rate: list[dict[str, Any]] | None
    fairness: dict[str, Any] | None
    per_key: dict[str, Any] | None
    slowed_until: datetime | None
    slowed_reason: str | None
    max_attempts: int | None
    retry: dict[str, Any] | None
    ageing_s: float | None
    retention: dict[str, float] | None
    paused_at: datetime | None
    paused_by: str | None
    paused_reason: str | None
    still_running: int | None
