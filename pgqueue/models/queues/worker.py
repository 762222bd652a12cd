"""Workers: the processes that run tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from pgqueue.models.base import Count, Record

__all__ = ["Worker", "Workers"]


class Worker(Record):
    """A worker process."""

    id: int
    worker: str = Field(description="Its host and process id: `host:pid`.")
    state: Literal["active", "draining", "stopped", "lost"]
    supervisor: str
    host: str
    pid: int
    version: str
    queues: list[str]
    types: list[str]
    concurrency: int
    active: Count
    started_at: datetime | None
    heartbeat_at: datetime | None
    expires_at: datetime | None = Field(description="Its leases hold until then.")


class Workers(Record):
    """Worker processes, latest first."""

    items: list[Worker]
