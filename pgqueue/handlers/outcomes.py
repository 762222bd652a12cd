"""What a handler may return instead of a result: an outcome is a value, not an exception."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pgqueue.errors import UsageError


@dataclass(frozen=True, slots=True)
class Retry:
    """The attempt failed; try again after this delay if attempts are left.

    Without ``after`` the delay is that of the retry policy. With ``slow`` no other task of its
    queue ("queue") or with its ``limit_key`` ("key") starts during the delay, on any worker; with
    "key", a task without a ``limit_key`` slows nothing down. Use it for the ``Retry-After`` of a
    service that the queue or the limit protects.
    """

    after: timedelta | float | None = None
    reason: str | None = None
    slow: Literal["queue", "key"] | None = None

    def __post_init__(self) -> None:
        """Refuse a ``slow`` that is unknown or has no delay."""
        if self.slow not in (None, "queue", "key") or (self.slow and self.after is None):
            raise UsageError(
                f"{self} slows nothing down",
                hint='write Retry(after=30, slow="queue"), or slow="key"',
            )


@dataclass(frozen=True, slots=True)
class Snooze:
    """Run the task again at a time, or after a delay, without counting an attempt."""

    until: datetime | timedelta | float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the task as cancelled; it never runs again."""

    reason: str | None = None
