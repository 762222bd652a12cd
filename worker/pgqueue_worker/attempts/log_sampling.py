"""Logging completions without drowning in them."""

from __future__ import annotations

_A_SECOND = 20


class Quiet:
    """Lets 20 completions a second be logged, and counts the others."""

    def __init__(self) -> None:
        self._second = 0
        self._spoken = 0
        self._unspoken = 0

    def may_speak(self, now: float) -> bool:
        """Say whether one more completion at this time, in seconds, is logged."""
        if int(now) != self._second:
            self._second, self._spoken = int(now), 0
        self._spoken += 1
        if self._spoken > _A_SECOND:
            self._unspoken += 1
            return False
        return True

    def take(self) -> int:
        """Give how many were not logged since the last call."""
        unspoken, self._unspoken = self._unspoken, 0
        return unspoken
