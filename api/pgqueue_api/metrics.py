"""The metrics of this process, and those of the queues as last sampled."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0, generate_latest
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import Metric

    from pgqueue.database.pool import Row

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_1_0_0.removesuffix("; charset=utf-8")  # Litestar adds it

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Metrics:
    """The counters of one API process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.flush_size = Histogram(
            "pgqueue_api_enqueue_flush_size",
            "Tasks stored by one statement.",
            buckets=_SIZES,
            registry=registry,
        )
        self.streams = Gauge(
            "pgqueue_api_sse_clients", "Open event streams.", ["kind"], registry=registry
        )
        self.notify_lag = Histogram(
            "pgqueue_api_notify_lag_seconds",
            "Time from a notification to the changed state being read.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.database_errors = Counter(
            "pgqueue_api_database_errors", "Requests failed by the database.", registry=registry
        )
        self.listening = Gauge(
            "pgqueue_api_listening", "1 while notifications can arrive.", registry=registry
        )
        self._depth = Gauge(
            "pgqueue_queue_depth", "Tasks, as sampled.", ["queue", "status"], registry=registry
        )
        self._age = Gauge(
            "pgqueue_queue_oldest_age_seconds",
            "Age of the oldest task, as sampled.",
            ["queue", "status"],
            registry=registry,
        )
        self._unhandled = Gauge(
            "pgqueue_tasks_without_worker",
            "Queued tasks whose type no live worker of their queue has, as sampled.",
            ["type"],
            registry=registry,
        )
        self._dead_letters = Gauge(
            "pgqueue_dead_letters", "Dead letters, as counted last.", ["queue"], registry=registry
        )
        self._growing = Gauge(
            "pgqueue_dead_letters_growing",
            "1 while more tasks fail for good than the queue's growth_limit.",
            ["queue"],
            registry=registry,
        )
        self._requests = _Requests()
        registry.register(self._requests)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.observe((method, route, status), seconds)

    def set_depths(self, samples: Iterable[Row]) -> None:
        """Set the sampled depths of the queues."""
        self._depth.clear()
        self._age.clear()
        for sample in samples:
            labels = (sample["queue"], sample["status"])
            self._depth.labels(*labels).set(sample["n"])
            self._age.labels(*labels).set(sample["age_s"] or 0)

    def set_unhandled(self, types: Iterable[Row]) -> None:
        """Set how many tasks of each type no live worker takes."""
        self._unhandled.clear()
        for row in types:
            self._unhandled.labels(row["type"]).set(row["n"])

    def set_dead_letters(self, levels: Iterable[Row]) -> None:
        """Set how many dead letters the queues have."""
        self._dead_letters.clear()
        self._growing.clear()
        for level in levels:
            self._dead_letters.labels(level["queue"]).set(level["n"])
            self._growing.labels(level["queue"]).set(level["growing"])

    def expose(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self.registry)


class _Requests(Collector):
    """Counts and times of requests: plain numbers, turned into metrics only when asked for.

    A labelled counter and a histogram of the client library took 10 µs a request, this takes 1.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], list[int]] = {}
        self._sums: dict[tuple[str, str, int], float] = {}

    def observe(self, key: tuple[str, str, int], seconds: float) -> None:
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = [0] * (len(_SECONDS) + 1)
            self._sums[key] = 0.0
        counts[bisect_left(_SECONDS, seconds)] += 1
        self._sums[key] += seconds

    def collect(self) -> Iterator[Metric]:
        total = CounterMetricFamily(
            "pgqueue_api_requests", "Requests answered.", labels=["method", "route", "status"]
        )
        times = HistogramMetricFamily(
            "pgqueue_api_request_seconds",
            "Time to the answer's first byte.",
            labels=["method", "route", "status"],
        )
        for (method, route, status), counts in self._counts.items():
            labels = [method, route, str(status)]
            upto = [*accumulate(counts)]
            total.add_metric(labels, upto[-1])
            bounds = [*map(str, map(float, _SECONDS)), "+Inf"]
            times.add_metric(
                labels, [*zip(bounds, upto, strict=True)], self._sums[method, route, status]
            )
        yield total
        yield times
