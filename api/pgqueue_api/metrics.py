"""What /metrics tells of this process, and of the queues as they were sampled last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0, generate_latest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pgqueue.database import Row

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_1_0_0

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Metrics:
    """The counters of one API process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "pgqueue_api_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "pgqueue_api_request_seconds",
            "Time to the answer's first byte.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=registry,
        )
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
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        key = (method, route, status)
        children = self._children.get(key)
        if children is None:
            children = self._children[key] = (
                self._requests.labels(method, route, str(status)),
                self._seconds.labels(method, route),
            )
        children[0].inc()
        children[1].observe(seconds)

    def set_depths(self, samples: Iterable[Row]) -> None:
        """Take over the sampled depths of all queues."""
        self._depth.clear()
        self._age.clear()
        for sample in samples:
            labels = (sample["queue"], sample["status"])
            self._depth.labels(*labels).set(sample["n"])
            self._age.labels(*labels).set(sample["age_s"] or 0)

    def expose(self) -> bytes:
        """Give everything in Prometheus's text format."""
        return generate_latest(self.registry)
