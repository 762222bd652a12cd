"""Types: which tasks workers can run, as they have published them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from pgqueue.models.base import Count, Name, Record
from pgqueue.models.tasks.backoff import RetryPolicy

__all__ = ["Type", "Types"]


class Type(Record):
    """A type that workers have published."""

    name: Name
    queue: str
    max_attempts: Count | None = Field(description="null: as the queue says.")
    retry: RetryPolicy | None
    timeout_s: float | None
    description: str
    payload_schema: dict[str, Any] | bool
    result_schema: dict[str, Any] | bool | None
    updated_at: datetime | None


class Types(Record):
    """The types, by name."""

    items: list[Type]
