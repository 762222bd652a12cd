"""The benchmarks run from end to end and print figures. How good the figures are is not tested."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TINY = [
    "--quick",
    "--tasks",
    "300",
    "--held-tasks",
    "400",
    "--seconds",
    "0.5",
    "--schedules",
    "300",
    "--waits",
    "20",
]


@pytest.mark.timeout(420)
def test_the_quick_benchmark_prints_figures_for_both_systems_and_keeps_them() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bench", *TINY],
        capture_output=True,
        text=True,
        timeout=400,
        cwd=ROOT,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr

    *_, last = run.stdout.strip().splitlines()
    file = Path(last.removeprefix("Figures: "))
    document = json.loads(file.read_text())
    file.unlink()

    medians = document["medians"]
    assert set(medians) == {
        "drain",
        "latency",
        "http",
        "rescue",
        "batches",
        "schedules",
        "lists",
        "wait",
        "held",
        "two-apps",
        "queue-names",
    }
    assert set(medians["http"]) == {"pgqueue", "bare Litestar"}
    for name in ("drain", "latency", "held"):
        assert set(medians[name]) == {"pgqueue", "PgQueuer"}, name
    for name, systems in medians.items():
        for system, figures in systems.items():
            for figure, value in figures.items():
                assert math.isfinite(value), (name, system, figure)
                assert value >= 0, (name, system, figure)

    for figures in medians["drain"].values():
        assert figures["enqueue_per_s"] > 0
        assert figures["drain_per_s"] > 0
        assert figures["server_us"] > 0
        assert 100 < figures["wal"] < 1_000_000
    for figures in medians["latency"].values():
        assert 0 < figures["p50_ms"] <= figures["p99_ms"] <= figures["max_ms"]
    assert medians["http"]["pgqueue"]["posts_per_s"] > 0
    assert 0 < medians["rescue"]["pgqueue"]["process_s"] < medians["rescue"]["pgqueue"]["host_s"]
    assert medians["schedules"]["pgqueue"]["one_s"] > 0
    assert medians["batches"]["pgqueue"]["ratio"] > 0
    assert medians["held"]["pgqueue"]["calls_us_first"] > 0

    judged = re.findall(r"^(?:reached|MISSED ) {2}(.+)$", run.stdout, re.MULTILINE)
    assert sorted(judged) == sorted(document["goals"])
    assert any(goal.startswith("drain ≥ 1.5 × PgQueuer") for goal in judged)


def test_only_what_is_asked_for_is_measured() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "nothing"],
        capture_output=True,
        text=True,
        timeout=50,
        cwd=ROOT,
        check=False,
    )
    assert run.returncode == 2
    assert "invalid choice: 'nothing'" in run.stderr
