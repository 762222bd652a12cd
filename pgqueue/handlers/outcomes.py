"""What a handler may return instead of a result: an ending is a value, not an exception."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pgqueue.errors import UsageError


@dataclass(frozen=True, slots=True)
class Retry:
    """The attempt failed; try again after this delay, while attempts are left.

    Without ``after`` the delay is that of the retry policy. With ``slow`` nothing else starts
    within it either, on any worker: of its queue, or of its ``limit_key`` (a task without one slows
    nothing). For the ``Retry-After`` of a service that the limit is there for.
    """

    after: timedelta | float | None = None
    reason: str | None = None
    slow: Literal["queue", "key"] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.slow not in (None, "queue", "key") or (self.slow and self.after is None):
            message = f"{self} slows nothing down"
            raise UsageError(message, hint='such as Retry(after=30, slow="queue"), or slow="key"')


@dataclass(frozen=True, slots=True)
class Snooze:
    """Not now: run again at a time, or after a delay, without charging an attempt."""

    until: datetime | timedelta | float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Never again: the task ends as cancelled."""

    reason: str | None = None
