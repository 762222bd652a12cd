"""What may be changed of a task that waits."""

from __future__ import annotations

from typing import Self

from pydantic import (
    AwareDatetime,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pgqueue.models.base import Delay, Input, Priority

__all__ = ["TaskChange"]


class TaskChange(Input):
    """What to change of a task that waits."""

    model_config = ConfigDict(
        json_schema_extra={
            "minProperties": 1,
            "examples": [{"priority": "high"}, {"delay_s": 0}],
        }
    )

    priority: Priority = None
    run_at: AwareDatetime | None = Field(
        default=None, description="Do not run it before this time (RFC 3339)."
    )
    delay_s: Delay | None = Field(
        default=None,
        description="Do not run it before this many seconds have passed; instead of `run_at`.",
    )

    @field_validator("delay_s")
    @classmethod
    def _one_time(cls, delay_s: float | None, others: ValidationInfo) -> float | None:
        if delay_s is not None and others.data.get("run_at") is not None:
            raise ValueError("run_at is set, too: pass one of them")
        return delay_s

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("pass priority, run_at or delay_s")
        return self
