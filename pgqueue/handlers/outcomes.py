"""What a handler returns, or raises, instead of a result."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Literal

from pgqueue.errors import UsageError

__all__ = ["OUTCOMES", "Cancel", "Retry", "Snooze", "outcome_in"]


class _Outcome(Exception):
    """A value that can be raised, too: from deep inside a handler that is shorter."""

    def __post_init__(self) -> None:
        """Keep the fields as the arguments of the exception, so that it can be copied."""
        self.args = tuple(getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]

    def __str__(self) -> str:
        """Return how it was written."""
        return repr(self)


@dataclass(unsafe_hash=True)
class Retry(_Outcome):
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
        """Refuse what is no delay, and a ``slow`` that is unknown or has no delay."""
        super().__post_init__()
        if self.after is not None and not _is_delay(self.after):
            raise UsageError(
                f"{self} has no delay that ends", hint="pass seconds or a timedelta as `after`"
            )
        if self.slow not in (None, "queue", "key") or (self.slow and self.after is None):
            raise UsageError(
                f"{self} slows nothing down",
                hint='write Retry(after=30, slow="queue"), or slow="key"',
            )


@dataclass(unsafe_hash=True)
class Snooze(_Outcome):
    """Run the task again at a time, or after a delay, without counting an attempt."""

    until: datetime | timedelta | float
    reason: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is neither a time nor a delay."""
        super().__post_init__()
        if not isinstance(self.until, datetime) and not _is_delay(self.until):
            raise UsageError(
                f"{self} has no time", hint="pass a datetime, seconds or a timedelta as `until`"
            )


@dataclass(unsafe_hash=True)
class Cancel(_Outcome):
    """End the task as cancelled; it never runs again."""

    reason: str | None = None


OUTCOMES = (Retry, Snooze, Cancel)


def outcome_in(error: BaseException) -> Retry | Snooze | Cancel | None:
    """Return the outcome that was raised, by a handler or by one task of a group; else ``None``."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, OUTCOMES) else None


def _is_delay(value: Any) -> bool:
    if isinstance(value, timedelta):
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
