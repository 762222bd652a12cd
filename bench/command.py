"""The command line: what to measure, how often, and the report."""

from __future__ import annotations

import argparse
import os
import platform
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Protocol

from bench import (
    batches,
    drain,
    held_snapshot,
    http_api,
    latency,
    lists,
    queue_names,
    rescue,
    schedules,
    two_apps,
    waiting,
)
from bench.bare_api import Bare
from bench.load import PAYLOAD_BYTES
from bench.pgqueue_system import Pgqueue
from bench.pgqueuer_system import PgQueuerSystem
from bench.report import Goal, Row, Runs, Section, medians, render, save
from bench.server import SETTINGS, Server, fresh_server
from bench.systems import System


@dataclass(frozen=True)
class Size:
    """How much to measure."""

    runs: int
    tasks: int
    seconds: float
    http_seconds: float
    held_tasks: int
    held_step: int
    schedules: int
    batch_tasks: int
    list_tasks: int
    processes: int
    waits: int
    queue_names: int


FULL = Size(
    *(3, 50_000, 20, 5, held_snapshot.TASKS, held_snapshot.STEP),
    *(100_000, 100_000, 2_000_000, 8, 10_000, 100_000),
)
QUICK = Size(1, 10_000, 3, 1, 100_000, 20_000, 5_000, 10_000, 20_000, 2, 200, 1_000)


def _on_any_machine(figure: str, name: str, goal: float, theirs: float, unit: str) -> Goal:
    """Return an absolute goal as a ratio: ``theirs`` is PgQueuer's figure on the goal's machine."""
    share = goal / theirs
    return Goal(
        f"{name} ≤ {share:.2f} × PgQueuer ({goal:g} {unit} where that takes {theirs:g})",
        lambda m: m["pgqueue"][figure] <= share * m["PgQueuer"][figure],
    )


DRAIN = Section(
    "drain",
    "Bulk enqueue, then drain by one worker process",
    [
        Row("enqueue_per_s", "enqueue, tasks/s"),
        Row("drain_per_s", "drain, tasks/s"),
        Row("server_us_enqueue", "server CPU, enqueue, µs/task", 1),
        Row("server_us_drain", "server CPU, claim + finish, µs/task", 1),
        Row("server_us", "server CPU, all, µs/task", 1),
        Row("client_us_enqueue", "client CPU, enqueue, µs/task", 1),
        Row("client_us_drain", "client CPU, drain, µs/task", 1),
        Row("wal_enqueue", "WAL, enqueue, bytes/task"),
        Row("wal_drain", "WAL, claim + finish, bytes/task"),
        Row("wal", "WAL, all, bytes/task"),
    ],
    [
        Goal(
            "drain ≥ 1.5 × PgQueuer",
            lambda m: m["pgqueue"]["drain_per_s"] >= 1.5 * m["PgQueuer"]["drain_per_s"],
        ),
        Goal("server CPU ≤ 20 µs per task", lambda m: m["pgqueue"]["server_us"] <= 20),
        _on_any_machine("server_us", "server CPU", 20, 37, "µs"),
        Goal("WAL ≤ 1,200 bytes per task", lambda m: m["pgqueue"]["wal"] <= 1_200),
    ],
)
LATENCY = Section(
    "latency",
    f"From enqueue to the start of the handler, at {latency.RATE} tasks/s",
    [
        Row("p50_ms", "p50, ms", 2),
        Row("p99_ms", "p99, ms", 2),
        Row("max_ms", "max, ms", 1),
        Row("enqueue_p50_ms", "of it the enqueue call, p50, ms", 2),
        Row("server_us", "server CPU, µs/task", 0),
    ],
    [
        Goal("p50 ≤ 2 ms", lambda m: m["pgqueue"]["p50_ms"] <= 2),
        _on_any_machine("p50_ms", "p50", 2, 2.2, "ms"),
        Goal("p99 ≤ 6 ms", lambda m: m["pgqueue"]["p99_ms"] <= 6),
        _on_any_machine("p99_ms", "p99", 6, 4.2, "ms"),
    ],
)
HELD = Section(
    "held",
    "Drain under a held snapshot, first and last step",
    [
        Row("calls_us_first", "first: claim and finish calls, µs/task", 1),
        Row("calls_us_last", "last: claim and finish calls, µs/task", 1),
        Row("calls_us_ratio", "last : first", 2),
        Row("server_us_first", "first: server CPU, µs/task", 1),
        Row("server_us_last", "last: server CPU, µs/task", 1),
        Row("server_us_ratio", "last : first", 2),
    ],
    [
        Goal("claim and finish calls ≤ 1.5 ×", lambda m: m["pgqueue"]["calls_us_ratio"] <= 1.5),
        Goal("server CPU ≤ 1.5 ×", lambda m: m["pgqueue"]["server_us_ratio"] <= 1.5),
    ],
)

_BARE_SHARE = 5_000 / 8_400

HTTP = Section(
    "http",
    f"Durable submits over HTTP, one API process, {http_api.CONNECTIONS} connections",
    [
        Row("posts_per_s", "submits/s"),
        Row("p50_ms", "p50, ms", 1),
        Row("p99_ms", "p99, ms", 1),
        Row("server_us", "server CPU, µs/submit", 1),
    ],
    [
        Goal("≥ 5,000 submits a second", lambda m: m["pgqueue"]["posts_per_s"] >= 5_000),
        Goal(
            f"≥ {_BARE_SHARE:.2f} × a bare Litestar (5,000 where that answers 8,400)",
            lambda m: m["pgqueue"]["posts_per_s"] >= _BARE_SHARE * m[Bare.name]["posts_per_s"],
        ),
    ],
)
RESCUE = Section(
    "rescue",
    "From a kill -9 to the next start of the task",
    [
        Row("process_s", "of one of two worker processes, s", 2),
        Row("host_s", "of a supervisor, as when its host dies, s", 2),
    ],
    [
        Goal("a process ≤ 1 s", lambda m: m["pgqueue"]["process_s"] <= 1),
        Goal("a host ≤ 17 s", lambda m: m["pgqueue"]["host_s"] <= 17),
    ],
)
BATCHES = Section(
    "batches",
    "The same tasks in a batch and without one, drained by eight worker processes",
    [
        Row("without_per_s", "drain without, tasks/s"),
        Row("with_per_s", "drain in a batch, tasks/s"),
        Row("ratio", "in a batch against without", 2),
        Row("without_us", "server CPU without, µs/task", 1),
        Row("with_us", "server CPU in a batch, µs/task", 1),
    ],
    [
        Goal(
            "drain in a batch ≥ 0.8 × without",
            lambda m: m["pgqueue"]["ratio"] >= 0.8,
        ),
    ],
)
SCHEDULES = Section(
    "schedules",
    "From the minute in which all schedules are due to the last of their tasks",
    [
        Row("one_s", "one supervisor, s", 2),
        Row("two_s", "two supervisors, s", 2),
    ],
    [Goal("≤ 30 s for 100,000", lambda m: m["pgqueue"]["one_s"] <= 30)],
)
LISTS = Section(
    "lists",
    f"The first page of a list, of {lists.BULK:,} tasks of one minute and of many tasks of one day",
    [
        Row(f"{place}_{name}_ms", f"{place}: {name.replace('_', ' ')}, ms", 1)
        for place in lists.PLACES
        for name in lists.PAGES
    ]
    + [
        Row("bulk_one_failed_ms", "bulk: failed, of which there is one, ms", 1),
        Row("waiting_unknown_type_ms", "unknown type beside as many that wait, ms", 1),
        Row("waiting_unknown_queued_ms", "unknown type that waits beside these, ms", 1),
    ],
    [Goal("each page ≤ 20 ms", lambda m: max(m["pgqueue"].values()) <= 20)],
)
WAIT = Section(
    "wait",
    "From enqueue to the answer of a wait for a no-op task, one after the other",
    [
        Row("library_p50_ms", "app.wait, p50, ms", 1),
        Row("library_p99_ms", "app.wait, p99, ms", 1),
        Row("library_max_ms", "app.wait, max, ms", 0),
        Row("library_slow", "app.wait, over 200 ms"),
        Row("http_p50_ms", "Prefer: wait, p50, ms", 1),
        Row("http_p99_ms", "Prefer: wait, p99, ms", 1),
        Row("http_max_ms", "Prefer: wait, max, ms", 0),
        Row("http_slow", "Prefer: wait, over 200 ms"),
    ],
    [
        Goal("no app.wait over 200 ms", lambda m: m["pgqueue"]["library_slow"] == 0),
        Goal("no Prefer: wait over 200 ms", lambda m: m["pgqueue"]["http_slow"] == 0),
    ],
)


def _compared(alone: str, beside: str) -> list[Row]:
    names = [("p50_ms", "p50, ms", 2), ("p99_ms", "p99, ms", 2), ("server_us", "server CPU, µs", 0)]
    return [
        row
        for name, title, digits in names
        for row in (
            Row(f"{name}_alone", f"{title}: {alone}", digits),
            Row(f"{name}_beside", f"{title}: {beside}", digits),
            Row(f"{name}_ratio", f"{title}: ratio", 2),
        )
    ]


TWO_APPS = Section(
    "two-apps",
    "Latency beside another app with a backlog of 100,000 tasks in the same queue",
    _compared("alone", "beside the other app"),
    [Goal("p99 beside another app ≤ 1.2 ×", lambda m: m["pgqueue"]["p99_ms_ratio"] <= 1.2)],
)
QUEUE_NAMES = Section(
    "queue-names",
    "Latency after many queues have been used once",
    _compared("no other queue", "many names"),
    [Goal("p99 after many queues ≤ 1.2 ×", lambda m: m["pgqueue"]["p99_ms_ratio"] <= 1.2)],
)


class Named(Protocol):
    """What is measured."""

    name: str


@dataclass(frozen=True)
class Benchmark:
    """One measurement: its part of the report, its systems, and how to run it."""

    section: Section
    systems: Sequence[Named]
    measure: Callable[[Server, Any, Size], dict[str, float]]


BOTH: tuple[System, ...] = (PGQUEUE := Pgqueue(), PgQueuerSystem())
BENCHMARKS = {
    "drain": Benchmark(
        DRAIN, BOTH, lambda server, system, size: drain.measure(server, system, size.tasks)
    ),
    "latency": Benchmark(
        LATENCY, BOTH, lambda server, system, size: latency.measure(server, system, size.seconds)
    ),
    "http": Benchmark(
        HTTP,
        (PGQUEUE, Bare()),
        lambda server, system, size: http_api.measure(server, system, size.http_seconds),
    ),
    "rescue": Benchmark(
        RESCUE, (PGQUEUE,), lambda server, system, _: rescue.measure(server, system)
    ),
    "wait": Benchmark(
        WAIT, (PGQUEUE,), lambda server, system, size: waiting.measure(server, system, size.waits)
    ),
    "batches": Benchmark(
        BATCHES,
        (PGQUEUE,),
        lambda server, system, size: batches.measure(
            server, system, size.batch_tasks, size.processes
        ),
    ),
    "schedules": Benchmark(
        SCHEDULES,
        (PGQUEUE,),
        lambda server, system, size: schedules.measure(server, system, size.schedules),
    ),
    "lists": Benchmark(
        LISTS,
        (PGQUEUE,),
        lambda server, system, size: lists.measure(server, system, size.list_tasks),
    ),
    "two-apps": Benchmark(
        TWO_APPS,
        (PGQUEUE,),
        lambda server, system, size: two_apps.measure(server, system, size.seconds),
    ),
    "queue-names": Benchmark(
        QUEUE_NAMES,
        (PGQUEUE,),
        lambda server, system, size: queue_names.measure(
            server, system, size.seconds, size.queue_names
        ),
    ),
    "held": Benchmark(
        HELD,
        BOTH,
        lambda server, system, size: held_snapshot.measure(
            server, system, size.held_tasks, size.held_step
        ),
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the arguments ask for."""
    options = _parse(arguments)
    preset = QUICK if options.quick else FULL
    size = Size(
        options.runs or preset.runs,
        options.tasks or preset.tasks,
        options.seconds or preset.seconds,
        min(options.seconds or preset.http_seconds, preset.http_seconds),
        options.held_tasks or preset.held_tasks,
        min(options.held_tasks // 2, preset.held_step) if options.held_tasks else preset.held_step,
        options.schedules or preset.schedules,
        options.tasks or preset.batch_tasks,
        options.tasks or preset.list_tasks,
        preset.processes,
        options.waits or preset.waits,
        preset.queue_names,
    )
    with fresh_server() as server:
        about = _about(server, size)
        print("\n".join(f"{name}: {value}" for name, value in about.items()), end="\n\n")
        measured: dict[str, Runs] = {}
        goals: dict[str, bool] = {}
        for name in options.only or BENCHMARKS:
            benchmark = BENCHMARKS[name]
            runs: dict[str, list[dict[str, float]]] = defaultdict(list)
            for _ in range(size.runs):
                for system in benchmark.systems:  # in turn, so that a disturbance hits both
                    runs[system.name].append(benchmark.measure(server, system, size))
            measured[name] = runs
            goals |= {goal.text: goal.met(medians(runs)) for goal in benchmark.section.goals}
            print(render(benchmark.section, runs), flush=True)
    print(f"Figures: {save(about, measured, goals)}")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small run of each: a smoke test")
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="measure only this")
    parser.add_argument("--runs", type=int, help=f"of each benchmark [{FULL.runs}]")
    parser.add_argument("--tasks", type=int, help=f"to enqueue and drain [{FULL.tasks:,}]")
    parser.add_argument("--seconds", type=float, help=f"of measuring latency [{FULL.seconds:g}]")
    parser.add_argument(
        "--held-tasks", type=int, help=f"under the held snapshot [{FULL.held_tasks:,}]"
    )
    parser.add_argument(
        "--schedules", type=int, help=f"due in the same minute [{FULL.schedules:,}]"
    )
    parser.add_argument("--waits", type=int, help=f"for the end of a task [{FULL.waits:,}]")
    return parser.parse_args(arguments)


def _about(server: Server, size: Size) -> dict[str, object]:
    settings = ", ".join(f"{name} {value}" for name, value in SETTINGS.items())
    return {
        "machine": f"{os.cpu_count()} CPUs, {platform.platform()}",
        "Python": platform.python_version(),
        "PostgreSQL": f"{server.value('show server_version')}; {settings}",
        **{f"{s.name} {version(s.name.lower())}": s.settings for s in BOTH},
        "load": f"{size.tasks:,} no-op tasks, {PAYLOAD_BYTES} bytes of payload",
        "load average": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }
