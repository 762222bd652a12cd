"""What a worker process counts, sent to its supervisor once a second as differences."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
    60,
    300,
    1800,
)
SIZES = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)


class Histogram:
    """Counts by bucket, with one more for what is above all of them, and the sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def add(self, counts: list[int], total: float) -> None:
        """Count what another histogram of the same bounds counted."""
        for i, n in enumerate(counts):
            self.counts[i] += n
        self.total += total


class Tally:
    """Counters and histograms by name and labels; ``take`` gives and forgets them."""

    def __init__(self) -> None:
        self.counters: dict[tuple[str, ...], int] = {}
        self.histograms: dict[tuple[str, ...], Histogram] = {}

    def count(self, *key: str, n: int = 1) -> None:
        """Count n things; the key is the metric's name, then its labels."""
        self.counters[key] = self.counters.get(key, 0) + n

    def observe(self, bounds: tuple[float, ...], value: float, *key: str) -> None:
        """Count a value in a histogram."""
        histogram = self.histograms.get(key)
        if histogram is None:
            histogram = self.histograms[key] = Histogram(bounds)
        histogram.observe(value)

    def take(self) -> dict[str, Any] | None:
        """Give what was counted since the last call, if anything."""
        if not self.counters and not self.histograms:
            return None
        counters, histograms = self.counters, self.histograms
        self.counters, self.histograms = {}, {}
        return {
            "counters": [[list(key), n] for key, n in counters.items()],
            "histograms": [
                [list(key), list(h.bounds), h.counts, h.total] for key, h in histograms.items()
            ],
        }

    def merge(self, taken: dict[str, Any]) -> None:
        """Add what another tally gave."""
        for key, n in taken["counters"]:
            self.count(*key, n=n)
        for key, bounds, counts, total in taken["histograms"]:
            histogram = self.histograms.setdefault(tuple(key), Histogram(tuple(bounds)))
            histogram.add(counts, total)
