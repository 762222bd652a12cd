"""How long a failed task waits before its next attempt."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from pgqueue.errors import UsageError
from pgqueue.models.base import INPUT, LONGEST_DELAY_S, Delay

Kind = Literal["exponential", "linear", "fixed"]
Jitter = Literal["full", "equal", "none"]


@with_config(
    ConfigDict(
        **INPUT,
        json_schema_extra={
            "examples": [{"kind": "exponential", "base_s": 1, "cap_s": 3600, "jitter": "equal"}]
        },
    )
)
class RetryPolicy(TypedDict, total=False):
    """How long to wait after a failed attempt. The example has the defaults of all fields."""

    kind: Annotated[
        Kind,
        Field(
            description="The delay after the n-th attempt: `base_s` · 2^(n-1), `base_s` · n, or "
            "`base_s`."
        ),
    ]
    base_s: Delay
    cap_s: Annotated[Delay, Field(description="The longest delay.")]
    jitter: Annotated[
        Jitter,
        Field(description="Spread over all of the delay, over its second half, or not at all."),
    ]


@dataclass(frozen=True, slots=True)
class Backoff:
    """A retry policy: delays between attempts, ``base`` and ``cap`` in seconds or a ``timedelta``.

    ``exponential`` waits ``base · 2^(n-1)`` after the n-th attempt, ``linear`` ``base · n``,
    ``fixed`` ``base``; never more than ``cap``. Jitter spreads it: ``full`` over the whole delay,
    ``equal`` over its second half. The database computes the delay when an attempt has failed.
    Raises ``UsageError`` for any other word, and for what is not within 0 s and ten years.
    """

    kind: Kind = "exponential"
    base: timedelta | float = 1.0
    cap: timedelta | float = 3600.0
    jitter: Jitter = "equal"

    def __post_init__(self) -> None:
        """Refuse what no delay can be computed from."""
        for name, value, words in (
            ("kind", self.kind, typing.get_args(Kind)),
            ("jitter", self.jitter, typing.get_args(Jitter)),
        ):
            if value not in words:
                message = f"a backoff's {name} cannot be {value!r}"
                raise UsageError(message, hint=f"it is one of {', '.join(words)}")
        for name, duration in (("base", self.base), ("cap", self.cap)):
            if not 0 <= _seconds(duration) <= LONGEST_DELAY_S:  # NaN, too
                message = f"a backoff's {name} cannot be {duration!r}"
                raise UsageError(message, hint="it is 0 seconds to ten years")

    def as_policy(self) -> RetryPolicy:
        """Return the policy as SQL and JSON have it."""
        return {
            "kind": self.kind,
            "base_s": _seconds(self.base),
            "cap_s": _seconds(self.cap),
            "jitter": self.jitter,
        }

    @classmethod
    def from_policy(cls, policy: dict[str, Any]) -> Backoff:
        """Read what SQL or JSON gave; ``UsageError`` if it is none."""
        words = {"kind": "kind", "base_s": "base", "cap_s": "cap", "jitter": "jitter"}
        if unknown := sorted(set(policy) - set(words)):
            message = f"a retry policy has no {unknown[0]!r}"
            raise UsageError(message, hint=f"it has {', '.join(words)}")
        return cls(**{words[name]: value for name, value in policy.items()})


def _seconds(duration: timedelta | float) -> float:
    return duration.total_seconds() if isinstance(duration, timedelta) else duration
