"""What a handler may return instead of a result: an ending is a value, not an exception."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Retry:
    """The attempt failed; try again after this delay, while attempts are left.

    Without ``after`` the delay is that of the retry policy.
    """

    after: timedelta | float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Snooze:
    """Not now: run again at a time, or after a delay, without charging an attempt."""

    until: datetime | timedelta | float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Never again: the task ends as cancelled."""

    reason: str | None = None
