"""A worker killed at any point of a handler's work: each task has one effect."""

import os
import signal
from collections import Counter

import pytest

from tests.worker.conftest import Bench, eventually
from tests.worker.killed import POINTS

WAVES = 5
EACH = 4  # attempts that stop at each point of a wave
PROCESSES = 2

# committed by then: there is no second attempt
COMMITTED = ("after the commit", "after the transaction")
# the step's function has run, and nobody remembers
FORGOTTEN = ("in the step", "before its result is saved")


@pytest.mark.timeout(180)
def test_a_kill_at_any_point_leaves_exactly_one_effect(bench: Bench) -> None:
    """Twelve points, 20 attempts at each: they wait there until their processes are killed."""
    bench.rows("create table effect (task_id uuid, attempt int)")
    tasks: dict[str, str] = {}
    bench.start(
        *("--app", "tests.worker.killed:app"),
        *("--processes", str(PROCESSES), "--concurrency", str(EACH * len(POINTS))),
    )
    for _ in range(WAVES):
        wave = {
            bench.enqueue("killed", {"point": point}): point
            for point in POINTS
            for _ in range(EACH)
        }
        for task, point in wave.items():
            eventually((bench.folder / f"reached-{task}").exists, f"it comes to {point}")
        for task in tasks:
            bench.ended(task)
        for pid in bench.processes():
            os.kill(pid, signal.SIGKILL)
        tasks |= wave
    for task in tasks:
        bench.ended(task)

    assert Counter(tasks.values()) == dict.fromkeys(POINTS, WAVES * EACH)
    attempts: dict[str, list[str]] = {}
    # one that a process gave back before it started, having no place for it, was no attempt
    ended = "select task_id::text, outcome from pgqueue.attempts where outcome <> 'released'"
    for row in bench.rows(ended + " order by lease_id"):
        attempts.setdefault(row["task_id"], []).append(row["outcome"])
    for task, point in tasks.items():
        expected = ["completed"] if point in COMMITTED else ["crashed", "completed"]
        assert attempts[task] == expected, point
        called = len((bench.folder / f"called-{task}").read_text())
        assert called == (2 if point in FORGOTTEN else 1), point
    effects = bench.rows("select task_id::text, attempt from effect")
    assert Counter(row["task_id"] for row in effects) == dict.fromkeys(tasks, 1)
    for row in effects:
        assert row["attempt"] == len(attempts[row["task_id"]])
        assert bench.task(row["task_id"])["result"] == row["attempt"]
