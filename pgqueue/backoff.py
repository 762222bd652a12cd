"""How long a failed task waits before its next attempt."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal, assert_never


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays between attempts, in seconds.

    ``exponential`` waits ``base · 2^(n-1)`` after the n-th attempt, ``linear`` ``base · n``,
    ``fixed`` ``base``; never more than ``cap``. Jitter spreads it: ``full`` over the whole delay,
    ``equal`` over its second half.
    """

    kind: Literal["exponential", "linear", "fixed"] = "exponential"
    base: float = 1.0
    cap: float = 3600.0
    jitter: Literal["full", "equal", "none"] = "equal"

    def delay(self, attempt: int) -> float:
        """Give the delay after this attempt (1 is the first), in seconds."""
        match self.kind:
            case "exponential":
                whole = min(self.cap, self.base * 2.0 ** min(attempt - 1, 60))
            case "linear":
                whole = min(self.cap, self.base * attempt)
            case "fixed":
                whole = min(self.cap, self.base)
            case _:
                assert_never(self.kind)
        share = random.random()  # noqa: S311  spread, not secrecy
        match self.jitter:
            case "full":
                return whole * share
            case "equal":
                return whole * (0.5 + share / 2)
            case "none":
                return whole
            case _:
                assert_never(self.jitter)
