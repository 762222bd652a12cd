"""A handler's fork is no second worker, and its exit is its own."""

import pytest

from tests.worker.conftest import Bench, eventually
from tests.worker.forking import CALLS, EXITS, IN_CHILDREN, PLACES

APP = ("--app", "tests.worker.forking:app")
FORKING = ("fork", "fork_async", "fork_isolated", "fork_isolated_async", "fork_function")


def outcomes(bench: Bench, tasks: list[str]) -> list[object]:
    """Return the results of tasks, or what they failed with."""
    found = [bench.ended(task) for task in tasks]
    return [(t["error"] or {}).get("message", t["result"]) for t in found]


def test_a_child_that_leaves_its_handler_ends_there_with_the_status_that_this_is(
    bench: Bench,
) -> None:
    bench.start(*APP)
    cases = [(type, way) for type in FORKING for way in IN_CHILDREN]
    tasks = [bench.enqueue(type, {"way": way}) for type, way in cases]
    found = dict(zip(cases, outcomes(bench, tasks), strict=True))
    assert found == {case: IN_CHILDREN[case[1]][1] for case in cases}
    assert all(len(bench.attempts(task)) == 1 for task in tasks)
    assert "in the child" in bench.logs()
    assert bench.ended(bench.enqueue("thread_forks"))["result"] == 7


def test_a_child_in_which_the_event_loop_would_go_on_ends_instead(bench: Bench) -> None:
    worker = bench.start(*APP)
    (pid,) = bench.processes()
    cases = [(type, place) for type in ("fork_and", "fork_isolated_and") for place in PLACES]
    tasks = [bench.enqueue(type, {"place": place}) for type, place in cases]
    assert dict(zip(cases, outcomes(bench, tasks), strict=True)) == dict.fromkeys(cases, 1)
    assert [bench.task(task)["status"] for task in tasks] == ["completed"] * len(tasks)
    assert bench.rows("select 1 from pgqueue.checkpoints") == []
    assert bench.processes() == [pid]
    for unwanted in ("lease_lost", "database_unavailable", "worker_died", "worker_lost"):
        assert unwanted not in bench.logs()
    assert bench.stop(worker) == 0


def test_a_child_of_a_handler_cannot_use_its_context(bench: Bench) -> None:
    bench.start(*APP)
    cases = [(type, call) for type in ("report", "report_isolated") for call in CALLS]
    tasks = [bench.enqueue(type, {"call": call}) for type, call in cases]
    found = dict(zip(cases, outcomes(bench, tasks), strict=True))
    assert found == {case: [1, 1] for case in cases}
    assert "UsageError: ctx was used in process" in bench.logs()
    for stored in ("events", "checkpoints"):
        assert bench.rows(f"select * from pgqueue.{stored}") == []
    assert bench.rows("select 1 from pgqueue_private.artifact") == []
    assert {bench.task(task)["progress"] for task in tasks} == {None}


@pytest.mark.parametrize("isolated", [False, True])
def test_a_handler_that_exits_has_failed_and_its_worker_goes_on(
    bench: Bench, isolated: bool
) -> None:
    bench.start(*APP)
    workers = bench.processes()
    suffix = "_isolated" if isolated else ""
    tasks = [bench.enqueue(f"exit{suffix}")]
    tasks += [bench.enqueue(f"exit{suffix}_async", {"way": way}) for way in EXITS]
    for task in tasks:
        error = bench.ended(task)["error"]
        assert (error["type"], error["message"]) == ("SystemExit", "sys.exit(3) was called")
        assert "sys.exit(3)" in error["traceback"]
    assert bench.processes() == workers
    assert "worker_died" not in bench.logs()


def test_an_exit_that_nobody_waits_for_and_an_interrupt_do_not_end_the_worker(bench: Bench) -> None:
    bench.start(*APP)
    workers = bench.processes()
    assert bench.ended(bench.enqueue("exit_later"))["result"] == "still there"
    assert bench.ended(bench.enqueue("interrupt"))["error"]["type"] == "KeyboardInterrupt"
    eventually(lambda: bench.processes() == workers, "the worker is the same")
