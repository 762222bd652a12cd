"""How many tasks to claim ahead of the slots, by how long handlers take."""

from __future__ import annotations

__all__ = ["Prefetch"]

_AHEAD_S = 0.02  # claim ahead what the handlers use up in this time
_MAX_AHEAD = 1_000
_MIN_TOOK_S = 1e-5
_WEIGHT_FASTER = 0.02
_WEIGHT_SLOWER = 0.2


class Prefetch:
    """Keeps a moving mean of how long handlers take; it follows slow ones ten times as fast.

    As many tasks are claimed ahead as the handlers use up in about 20 ms. So a slow handler does
    not keep tasks from other workers, and a fast one never waits for the round trip of a claim.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._mean_s = 1.0

    def ahead(self) -> int:
        """Return how many attempts to hold in addition to those that run."""
        return min(int(self._concurrency / self._mean_s * _AHEAD_S), _MAX_AHEAD)

    def ran(self, took_s: float) -> None:
        """Take into account how long a handler took."""
        weight = _WEIGHT_FASTER if took_s < self._mean_s else _WEIGHT_SLOWER
        self._mean_s += (max(took_s, _MIN_TOOK_S) - self._mean_s) * weight

    def stalled(self, for_s: float) -> None:
        """Take into account that nothing has started or ended for this long."""
        self._mean_s = max(self._mean_s, self._concurrency * for_s)
