"""Handler hangs past its timeout and ignores cancel: its slot is free, its process is replaced."""

import signal
from typing import Any

import pytest

from tests.figures import Figure
from tests.processes import alive
from tests.worker.conftest import Bench, eventually

ROW = "handler hangs past its timeout, ignores cancel"
TIMEOUT_S = 0.2  # of all these handlers

HUNG: dict[str, tuple[str, dict[str, Any]]] = {
    "async, sleeps": ("slow", {}),
    "async, swallows the first cancel": ("deaf", {}),
    "async, swallows every cancel": ("immortal", {}),
    "in a thread": ("stubborn", {}),
    "async, blocks the event loop": ("stuck", {"always": True}),
    "in a process, ignores SIGTERM": ("hang", {"deaf": True}),
    "in a process, async, `while True`": ("hang_async", {"busy": True}),
}

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("how", HUNG)
def test_a_hung_handler_frees_its_slot_within_two_seconds_of_its_timeout(
    bench: Bench, figure: Figure, how: str
) -> None:
    type, payload = HUNG[how]
    bench.start("--app", "tests.worker.isolated:app", "--concurrency", "1", PGQUEUE_LEASE_S="600")
    bench.ended(bench.enqueue("isolated"))  # a process for such handlers is there
    hung = bench.enqueue(type, payload, max_attempts=1)
    ended = bench.ended(hung)
    assert (ended["status"], ended["error"]["type"]) == ("failed", "TimedOut")
    (attempt,) = bench.attempts(hung)
    assert attempt["outcome"] == "timed_out"
    for mark in bench.folder.glob("hang-*"):
        assert not alive(int(mark.name.removeprefix("hang-"))), "its process is killed"
    assert bench.ended(bench.enqueue("echo"))["status"] == "completed", "its slot is free"
    lasted_s = (attempt["finished_at"] - attempt["started_at"]).total_seconds() - TIMEOUT_S
    figure(ROW, f"{how}: its slot was free {lasted_s:.1f} s after its timeout", "≤ 2 s")


@pytest.mark.parametrize("type", ["immortal", "stubborn"])
def test_a_handler_that_ignores_its_timeout_has_its_process_replaced_and_harms_no_neighbour(
    bench: Bench, type: str
) -> None:
    bench.start("--concurrency", "2")
    (old,) = bench.processes()
    neighbour = bench.enqueue("gate", {"name": "n"})
    bench.passed("n-in-1")
    hung = bench.enqueue(type)
    bench.ended(hung)
    eventually(lambda: bench.workers_in("draining") == [old], "it is replaced")
    assert len(bench.processes()) == 1
    assert bench.task(neighbour)["status"] == "active"
    bench.open("n-out")
    assert bench.ended(neighbour)["status"] == "completed"
    eventually(lambda: bench.workers_in("stopped") == [old], "the old process ends")
    assert [a["outcome"] for a in bench.attempts(neighbour)] == ["completed"]
    assert "worker_died" not in bench.logs()


def test_what_a_handler_returns_after_its_timeout_is_not_recorded(bench: Bench) -> None:
    bench.start("--concurrency", "2")
    neighbour = bench.enqueue("gate", {"name": "n"})  # keeps the old process
    bench.passed("n-in-1")
    task = bench.enqueue("immortal")
    bench.ended(task)
    bench.open("immortal-out")
    bench.open("n-out")
    bench.ended(neighbour)
    eventually(lambda: bench.workers_in("stopped"), "the old process ends")
    assert [a["outcome"] for a in bench.attempts(task)] == ["timed_out"]
    assert "lease_lost" not in bench.logs()


def test_a_cancel_that_is_ignored_is_enforced(bench: Bench) -> None:
    bench.start()
    task = bench.enqueue("immortal", timeout_s=60)
    bench.passed("immortal-in")
    assert bench.value("select pgqueue.cancel(%s)", task) == "active"
    assert bench.ended(task, patience_s=10)["status"] == "cancelled"
    bench.open("immortal-out")
    eventually(lambda: bench.workers_in("stopped"), "its process is replaced")
    assert bench.task(task)["status"] == "cancelled"


def test_a_handler_that_blocks_the_event_loop_times_out_and_its_neighbours_are_given_back(
    bench: Bench,
) -> None:
    bench.start()
    (old,) = bench.processes()
    neighbour = bench.enqueue("gate", {"name": "n"})
    bench.passed("n-in-1")
    blocker = bench.enqueue("stuck")
    assert bench.ended(blocker)["result"] == "through"
    assert [a["outcome"] for a in bench.attempts(blocker)] == ["timed_out", "completed"]
    bench.open("n-out")
    assert bench.ended(neighbour)["status"] == "completed"
    outcomes = [(a["outcome"], a["attempt"]) for a in bench.attempts(neighbour)]
    assert outcomes == [("released", 1), ("completed", 1)], "without a charge"
    assert bench.task(neighbour)["crash_count"] == 0
    assert bench.processes() != [old]


def test_a_drain_is_not_held_up_by_a_handler_that_ignores_it(bench: Bench) -> None:
    worker = bench.start(PGQUEUE_GRACE_S="0.2")
    task = bench.enqueue("immortal", timeout_s=60)
    bench.passed("immortal-in")
    assert bench.stop(worker, signal.SIGTERM) == 0
    assert (bench.task(task)["status"], bench.task(task)["attempt"]) == ("queued", 0)


def test_a_second_hung_handler_makes_the_first_process_drain(bench: Bench) -> None:
    bench.start("--concurrency", "2", PGQUEUE_GRACE_S="0.2")
    (first,) = bench.processes()
    long = bench.enqueue("gate", {"name": "n"})
    bench.passed("n-in-1")
    bench.ended(bench.enqueue("immortal"))
    eventually(lambda: bench.workers_in("draining") == [first], "the first is replaced")
    (bench.folder / "immortal-in").unlink()
    bench.ended(bench.enqueue("immortal"))
    eventually(lambda: first in bench.workers_in("stopped"), "the first ends")
    bench.passed("n-in-1")
    bench.open("n-out")
    assert bench.ended(long)["status"] == "completed"
    assert {a["outcome"] for a in bench.attempts(long)} == {"released", "completed"}
