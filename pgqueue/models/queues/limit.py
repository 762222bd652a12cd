"""Limits: how many tasks run at once, and how many start in a span of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, NotRequired

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    with_config,
)
from typing_extensions import TypedDict

from pgqueue.errors import UsageError
from pgqueue.models.base import INPUT, Input, Page, Record, Whole, examples
from pgqueue.models.values import seconds

__all__ = [
    "LIMIT_NAME",
    "Concurrency",
    "KeyLimit",
    "KeyLimits",
    "Limit",
    "LimitSettings",
    "PerKey",
    "PerKeyLimit",
    "Rate",
    "RateSetting",
    "Rates",
    "SlowedUntil",
    "as_setting",
]

LIMIT_NAME = "^[A-Za-z0-9_][A-Za-z0-9_.:@+=~-]{0,254}$"

_Concurrency = Annotated[int, Field(ge=1, le=1_000_000), Whole]


@with_config(INPUT)
class RateSetting(TypedDict):
    """At most `count` starts in any span of `per_seconds`."""

    count: Annotated[int, Field(ge=1, le=1_000_000), Whole]
    per_seconds: Annotated[float, Field(ge=0.001, le=2_592_000)]
    smooth: NotRequired[Annotated[bool, Field(description="Space the starts evenly, too.")]]


_Rates = Annotated[list[RateSetting], Field(min_length=1, max_length=5)]


def _not_empty(value: PerKey) -> PerKey:
    if not value:
        raise ValueError("pass concurrency, rate or both")
    return value


@with_config(ConfigDict(**INPUT, json_schema_extra={"minProperties": 1}))
class PerKey(TypedDict, total=False):
    """The limit of each key of a queue."""

    concurrency: Annotated[
        _Concurrency, Field(description="How many tasks run at once, over all workers.")
    ]
    rate: Annotated[_Rates, Field(description="Every rate of the list holds.")]


Concurrency = Annotated[
    _Concurrency | None,
    Field(description="How many tasks run at once, over all workers; null: no limit."),
]
Rates = Annotated[
    _Rates | None,
    Field(
        description="How many tasks start in a span of time, over all workers. The span may begin "
        "at any time, and every rate of the list holds. null: no limit."
    ),
]
PerKeyLimit = Annotated[
    Annotated[PerKey, AfterValidator(_not_empty)] | None,
    Field(
        description="The limit of each `limit_key` in this queue that has no limit of its own name."
    ),
]
SlowedUntil = Annotated[
    AwareDatetime | None,
    Field(description="No task starts before this time. Handlers set it; null removes it."),
]


class LimitSettings(Input):
    """The limit of all tasks with one `limit_key`, over all queues and workers.

    With neither `concurrency` nor `rate` the key has no limit, whatever its queues say.
    """

    model_config = examples(
        {"concurrency": 3, "rate": [{"count": 60, "per_seconds": 60, "smooth": True}]}
    )

    concurrency: Concurrency = None
    rate: Rates = None
    slowed_until: SlowedUntil = None


class KeyLimit(Record):
    """The limit of all tasks with one `limit_key`."""

    name: str = Field(description="The `limit_key`.")
    concurrency: Concurrency
    rate: Rates
    slowed_until: datetime | None = Field(
        description="No task starts before this time, because a handler asked for it."
    )
    slowed_reason: str | None
    version: int = Field(description="Each change of the settings adds one.")
    created_at: datetime


class KeyLimits(Page):
    """A page of limits, by name."""

    items: list[KeyLimit]


_RATE = TypeAdapter(RateSetting)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``count`` starts in any span of the length ``per``, over all workers.

    ``per`` is in seconds or a ``timedelta``. A sliding window, not buckets: no burst of twice the
    count over a boundary. With ``smooth`` the starts are spaced evenly, too.
    """

    count: int
    per: timedelta | float
    smooth: bool = False

    def __post_init__(self) -> None:
        """Refuse what no rate can be."""
        try:
            _RATE.validate_python({"count": self.count, "per_seconds": seconds(self.per)})
        except ValidationError as error:
            message = f"{self} cannot be a rate"
            raise UsageError(
                message, hint="use a count of 1 to 1,000,000 in 1 ms to 30 days"
            ) from error

    def as_setting(self) -> RateSetting:
        """Return the rate as JSON has it."""
        setting = RateSetting(count=self.count, per_seconds=seconds(self.per) or 0)
        return {**setting, "smooth": True} if self.smooth else setting


@dataclass(frozen=True, slots=True)
class Limit:
    """What a queue allows each key: concurrency, starts in a time, or both."""

    concurrency: int | None = None
    rate: Rate | Sequence[Rate] | None = None

    def as_setting(self) -> dict[str, Any]:
        """Return the setting ``per_key`` of a queue."""
        rate = None if self.rate is None else as_setting(self.rate)
        given = {"concurrency": self.concurrency, "rate": rate}
        return {name: value for name, value in given.items() if value is not None}


def as_setting(rate: Rate | Sequence[Rate]) -> list[RateSetting]:
    """Return rates as the setting ``rate`` of a queue or a limit."""
    return [each.as_setting() for each in ([rate] if isinstance(rate, Rate) else rate)]
