"""Prometheus metrics of a supervisor and its worker processes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from pgqueue_worker.measurements import Measurements, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pgqueue.database.readiness import ReadinessReport
    from pgqueue_worker.duties import DeadLetterLevel, QueueSample

__all__ = ["Metrics"]

_COUNTERS = {
    "finished": ("pgqueue_attempts_finished", "Attempts that ended.", ("type", "queue", "outcome")),
    "claims": ("pgqueue_claims", "Claim calls.", ()),
    "leases_lost": ("pgqueue_leases_lost", "Finishes refused because the lease was gone.", ()),
    "database_errors": ("pgqueue_database_errors", "Calls to the database that failed.", ()),
    "worker_crashes": ("pgqueue_worker_crashes", "Worker processes that died.", ()),
    "started": ("pgqueue_attempts_started", "Attempts that were claimed.", ("queue",)),
}
_HISTOGRAMS = {
    "run_seconds": ("pgqueue_run_seconds", "How long handlers ran.", ("type", "queue")),
    "wait_seconds": ("pgqueue_wait_seconds", "How long tasks waited.", ("type", "queue")),
    "claim_size": ("pgqueue_claim_size", "Tasks claimed by one call.", ()),
    "flush_size": ("pgqueue_flush_size", "Finishes recorded in one call.", ()),
}
_MAX_QUEUES = 200
_OTHERS = "(others)"
_QUEUE_AT = {
    kind: labels.index("queue") + 1
    for kind, (_, _, labels) in (_COUNTERS | _HISTOGRAMS).items()
    if "queue" in labels
}


class Metrics(Collector):
    """The sums of what worker processes counted, and the latest sample of the queues."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._measurements = Measurements()
        self._samples: list[QueueSample] = []
        self._unhandled: dict[str, int] = {}
        self._dead_letters: list[DeadLetterLevel] = []
        self._kept = 0
        self._queues: set[str] = set()  # those that are counted by name
        self.readiness: Callable[[], ReadinessReport] = lambda: {"status": "not_ready"}
        """Returns whether tasks can run; see readiness.py."""

    def merge(self, taken: Snapshot) -> None:
        """Add what a worker process counted: of the first queues by name, of the others as one."""
        with self._lock:
            self._measurements.merge(
                Snapshot(
                    [(self._bounded(key), n) for key, n in taken.counters],
                    [(self._bounded(key), b, c, total) for key, b, c, total in taken.histograms],
                )
            )

    def crashed(self) -> None:
        """Count a worker process that died."""
        with self._lock:
            self._measurements.count("worker_crashes")

    def sampled(self, samples: list[QueueSample], unhandled: dict[str, int]) -> None:
        """Set the depths and ages of queues, and how many tasks of a type no live worker takes."""
        with self._lock:
            self._samples = samples
            self._unhandled = unhandled

    def dead_letters_counted(self, levels: list[DeadLetterLevel]) -> None:
        """Set the numbers of dead letters of all queues."""
        with self._lock:
            self._dead_letters = levels

    def kept(self, processes: int) -> None:
        """Set how many processes are kept running."""
        with self._lock:
            self._kept = processes

    def _bounded(self, key: Sequence[str]) -> tuple[str, ...]:
        """Return the key of a series, with its queue among the others if there are too many."""
        place = _QUEUE_AT.get(key[0])
        if place is None or key[place] in self._queues:
            return tuple(key)
        if len(self._queues) < _MAX_QUEUES:
            self._queues.add(key[place])
            return tuple(key)
        return (*key[:place], _OTHERS, *key[place + 1 :])

    def collect(self) -> Iterator[Metric]:
        """Yield everything, for Prometheus."""
        with self._lock:
            yield from self._counters()
            yield from self._histograms()
            yield from self._gauges()

    def _counters(self) -> Iterator[Metric]:
        for kind, (name, text, labels) in _COUNTERS.items():
            family = CounterMetricFamily(name, text, labels=labels)
            for (key, *values), n in self._measurements.counters.items():
                if key == kind:
                    family.add_metric(values, n)
            if not labels and not family.samples:
                family.add_metric([], 0)
            yield family

    def _histograms(self) -> Iterator[Metric]:
        for kind, (name, text, labels) in _HISTOGRAMS.items():
            family = HistogramMetricFamily(name, text, labels=labels)
            for (key, *values), histogram in self._measurements.histograms.items():
                if key != kind:
                    continue
                seen, buckets = 0, []
                bounds = [*map(str, histogram.bounds), "+Inf"]
                for bound, n in zip(bounds, histogram.counts, strict=True):
                    seen += n
                    buckets.append((bound, float(seen)))
                family.add_metric(values, buckets, histogram.total)
            yield family

    def _gauges(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily(
            "pgqueue_tasks", "Tasks by queue and status.", labels=("queue", "status")
        )
        oldest = GaugeMetricFamily(
            "pgqueue_oldest_seconds", "Age of the oldest of them.", labels=("queue", "status")
        )
        for queue, status, n, age_s in self._samples:
            depth.add_metric((queue, status), n)
            oldest.add_metric((queue, status), max(0.0, age_s or 0.0))
        yield depth
        yield oldest
        unhandled = GaugeMetricFamily(
            "pgqueue_tasks_without_worker",
            "Queued tasks whose type no live worker of their queue has.",
            labels=("type",),
        )
        for type, n in self._unhandled.items():
            unhandled.add_metric((type,), n)
        yield unhandled
        dead = GaugeMetricFamily("pgqueue_dead_letters", "Dead letters.", labels=("queue",))
        growing = GaugeMetricFamily(
            "pgqueue_dead_letters_growing",
            "1 while more tasks fail for good than the queue's growth_limit.",
            labels=("queue",),
        )
        for queue, n, grows in self._dead_letters:
            dead.add_metric((queue,), n)
            growing.add_metric((queue,), grows)
        yield dead
        yield growing
        yield GaugeMetricFamily(
            "pgqueue_worker_processes", "Worker processes that are kept running.", self._kept
        )
