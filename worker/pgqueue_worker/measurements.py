"""What a worker process counts. It sends the differences to its supervisor once a second."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

__all__ = ["DURATIONS_S", "SIZES", "Histogram", "Measurements", "Snapshot"]

DURATIONS_S = (
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
    """Counts by bucket, with one more bucket for larger values, and the sum."""

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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was counted since the last snapshot; JSON turns its tuples into lists."""

    counters: list[tuple[tuple[str, ...], int]]
    histograms: list[tuple[tuple[str, ...], tuple[float, ...], list[int], float]]


class Measurements:
    """Counters and histograms by key: the metric's name, then its labels."""

    def __init__(self) -> None:
        self.counters: dict[tuple[str, ...], int] = {}
        self.histograms: dict[tuple[str, ...], Histogram] = {}

    def count(self, *key: str, n: int = 1) -> None:
        """Count n things."""
        self.counters[key] = self.counters.get(key, 0) + n

    def observe(self, bounds: tuple[float, ...], value: float, *key: str) -> None:
        """Count a value in a histogram."""
        histogram = self.histograms.get(key)
        if histogram is None:
            histogram = self.histograms[key] = Histogram(bounds)
        histogram.observe(value)

    def take(self) -> Snapshot | None:
        """Return what was counted since the last call, if anything, and forget it."""
        if not self.counters and not self.histograms:
            return None
        counters, histograms = self.counters, self.histograms
        self.counters, self.histograms = {}, {}
        return Snapshot(
            list(counters.items()),
            [(key, h.bounds, h.counts, h.total) for key, h in histograms.items()],
        )

    def merge(self, taken: Snapshot) -> None:
        """Add what another process counted."""
        for key, n in taken.counters:
            self.count(*key, n=n)
        for key, bounds, counts, total in taken.histograms:
            histogram = self.histograms.setdefault(tuple(key), Histogram(tuple(bounds)))
            histogram.add(counts, total)
