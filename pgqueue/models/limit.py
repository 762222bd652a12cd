"""What a limit allows: so many at once, and so many starts in a span of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pgqueue.errors import UsageError
from pgqueue.models.task import seconds


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
        """Refuse what cannot be."""
        if not (1 <= self.count <= 1_000_000 and 0.001 <= (seconds(self.per) or 0) <= 2_592_000):
            message = f"{self} is no rate"
            raise UsageError(message, hint="a count of 1 to 1,000,000 in 1 ms to 30 days")


@dataclass(frozen=True, slots=True)
class Limit:
    """What a queue allows each key: so many at once, so many starts, or both."""

    concurrency: int | None = None
    rate: Rate | Sequence[Rate] | None = None

    def as_setting(self) -> dict[str, Any]:
        """Give it as the setting ``per_key`` of a queue."""
        rate = None if self.rate is None else as_setting(self.rate)
        given = {"concurrency": self.concurrency, "rate": rate}
        return {name: value for name, value in given.items() if value is not None}


def as_setting(rate: Rate | Sequence[Rate]) -> list[dict[str, Any]]:
    """Give rates as the setting ``rate`` of a queue or a limit."""
    rates = [rate] if isinstance(rate, Rate) else rate
    return [
        {
            "count": each.count,
            "per_seconds": seconds(each.per),
            **({"smooth": True} if each.smooth else {}),
        }
        for each in rates
    ]
