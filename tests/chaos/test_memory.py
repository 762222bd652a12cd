"""Out of memory: what outgrows its limit fails alone, and the third crash is the last."""

import pytest

from tests.figures import Figure
from tests.worker.conftest import Bench

ROW = "out of memory"
APP = ("--app", "tests.chaos.handlers:app")

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def neighbours(bench: Bench) -> list[str]:
    """Tasks that run beside: one in the worker process, two in children of it."""
    bench.start(*APP, PGQUEUE_LEASE_S="600")
    tasks = [bench.enqueue("gate", {"name": "n"})]
    tasks += [bench.enqueue("wait", {"name": name}) for name in ("n1", "n2")]
    for mark in ("n-in-1", "wait-n1", "wait-n2"):
        bench.passed(mark)
    return tasks


def unharmed(bench: Bench, tasks: list[str]) -> None:
    for gate in ("n-out", "n1-out", "n2-out"):
        bench.open(gate)
    assert {bench.ended(id)["status"] for id in tasks} == {"completed"}
    assert [len(bench.attempts(id)) for id in tasks] == [1, 1, 1]


@pytest.mark.parametrize(
    ("type", "by"), [("careless", "SIGSEGV"), ("die_alone", "SIGKILL")], ids=["native", "kernel"]
)
def test_a_child_that_dies_of_its_memory_thrice_fails_and_its_neighbours_do_not(
    bench: Bench, neighbours: list[str], figure: Figure, type: str, by: str
) -> None:
    """Native code ends at the limit where it is not given any; the kernel's OOM killer sends 9."""
    killer = bench.enqueue(type)
    ended = bench.ended(killer)
    assert (ended["status"], ended["error"]["type"]) == ("failed", "Crashed")
    assert ended["status_reason"] == f"its process was killed by {by}"
    assert [a["outcome"] for a in bench.attempts(killer)] == ["crashed"] * 3
    assert ended["crash_count"] == 3
    unharmed(bench, neighbours)
    figure(ROW, f"killed by {by}: 3 crashes, then failed; 3 neighbours unharmed", "3, then failed")


def test_an_isolated_handler_that_outgrows_its_memory_fails_alone(
    bench: Bench, neighbours: list[str], figure: Figure
) -> None:
    greedy = bench.ended(bench.enqueue("greedy"))
    assert (greedy["status"], greedy["error"]["type"]) == ("failed", "MemoryError")
    assert "greedy" in greedy["error"]["traceback"]
    unharmed(bench, neighbours)
    figure(ROW, "Python told in time: a failed attempt (MemoryError)", "its neighbours unharmed")


def test_a_task_that_kills_its_worker_thrice_fails_and_its_neighbours_do_not(
    bench: Bench, figure: Figure
) -> None:
    bench.start(PGQUEUE_LEASE_S="600")
    killer = bench.enqueue("die", max_attempts=1)
    neighbours = [bench.enqueue("echo") for _ in range(20)]
    ended = bench.ended(killer)
    assert (ended["status"], ended["error"]["type"]) == ("failed", "Crashed")
    assert [a["outcome"] for a in bench.attempts(killer)] == ["crashed"] * 3
    assert {bench.ended(id)["status"] for id in neighbours} == {"completed"}
    figure(
        ROW,
        "without isolation its worker dies: 3 crashes, then failed; 20 neighbours completed",
        "3, then failed",
    )
