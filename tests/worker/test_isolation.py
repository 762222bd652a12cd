"""Handlers in processes of their own: what they can do, and how they are stopped."""

import os
import signal
from contextlib import suppress

import psutil
import pytest

from tests.commands import Command
from tests.processes import alive
from tests.worker.conftest import Bench, eventually


def start(bench: Bench, *arguments: str, **environment: str) -> Command:
    return bench.start("--app", "tests.worker.isolated:app", *arguments, **environment)


def start_limited(bench: Bench, *arguments: str, **environment: str) -> Command:
    return bench.start("--app", "tests.worker.limited:app", *arguments, **environment)


def descendants(bench: Bench) -> list[psutil.Process]:
    return [p for w in bench.workers for p in psutil.Process(w.pid).children(recursive=True)]


def gone(pid: int) -> bool:
    return not alive(pid)


@pytest.mark.parametrize("type", ["isolated", "isolated_async", "isolated_wrapped"])
def test_an_isolated_handler_runs_in_a_process_of_its_own_and_reports(
    bench: Bench, type: str
) -> None:
    start(bench)
    ended = bench.ended(bench.enqueue(type, {"x": [1, "ä"]}))
    assert ended["status"] == "completed", ended
    (worker,) = bench.processes()
    assert ended["result"]["pid"] != worker
    assert ended["progress"]["percent"] == 50
    (event,) = bench.rows("select message, data from pgqueue.events")
    assert event == {"message": "in a process", "data": {"pid": ended["result"]["pid"]}}
    (artifact,) = bench.rows("select data from pgqueue_private.artifact")
    assert bytes(artifact["data"]) == b"from a child"


def test_an_outcome_that_an_isolated_handler_raises_is_as_one_that_it_returns(bench: Bench) -> None:
    start(bench)
    ended = bench.ended(bench.enqueue("isolated_cancel", {"why": "no longer wanted"}))
    assert (ended["status"], ended["attempt"]) == ("cancelled", 1)
    assert ended["error"] == {"type": "Cancelled", "message": "no longer wanted"}


def test_a_child_runs_one_attempt_after_another(bench: Bench) -> None:
    start(bench, "--concurrency", "1")
    pids = {bench.ended(bench.enqueue("isolated"))["result"]["pid"] for _ in range(5)}
    assert len(pids) == 1


@pytest.mark.parametrize(
    ("type", "payload", "hears"),
    [
        ("hang", {}, True),
        ("hang", {"deaf": True}, False),
        ("hang_async", {}, True),
        ("hang_async", {"busy": True}, True),
    ],
)
def test_an_isolated_handler_that_is_not_done_in_time_is_stopped(
    bench: Bench, type: str, payload: dict, hears: bool
) -> None:
    start(bench, "--concurrency", "1")
    task = bench.enqueue(type, payload)
    ended = bench.ended(task)
    assert (ended["status"], ended["error"]["type"]) == ("failed", "TimedOut")
    (attempt,) = bench.attempts(task)
    assert attempt["outcome"] == "timed_out"
    assert (bench.folder / "told-to-stop").exists() == hears
    (mark,) = bench.folder.glob("hang-*")
    assert gone(int(mark.name.removeprefix("hang-")))
    assert bench.ended(bench.enqueue("isolated"))["status"] == "completed"


def test_an_isolated_handler_sees_its_parents_and_its_batch(bench: Bench) -> None:
    batch = bench.value("select id::text from pgqueue.create_batch('b')")
    parent, *children = bench.enqueue_many(
        [
            {"type": "isolated"},
            *[
                {"type": type, "depends_on": [0], "batch_id": batch}
                for type in ("parents", "parents_async")
            ],
        ]
    )
    start(bench)
    for child in children:
        assert bench.ended(child)["result"] == {"of": [parent], "batch": batch}


def sleeping(bench: Bench) -> list[psutil.Process]:
    found = []
    for process in descendants(bench):
        with suppress(psutil.NoSuchProcess):  # it has ended since
            if process.name() == "sleep":
                found.append(process)
    return found


def test_what_a_hung_handler_started_is_killed_with_it(bench: Bench) -> None:
    start(bench)
    bench.ended(bench.enqueue("isolated"))
    task = bench.enqueue("hang", {"child": True, "deaf": True}, timeout_s=1)
    (grandchild,) = eventually(lambda: sleeping(bench), "it starts one")
    assert bench.ended(task)["error"]["type"] == "TimedOut"
    eventually(lambda: gone(grandchild.pid), "it is gone")


def test_a_cancel_stops_an_isolated_handler(bench: Bench) -> None:
    start(bench)
    task = bench.enqueue("hang", timeout_s=60)
    eventually(lambda: list(bench.folder.glob("hang-*")), "it runs")
    assert bench.value("select pgqueue.cancel(%s)", task) == "active"
    assert bench.ended(task)["status"] == "cancelled"
    assert [a["outcome"] for a in bench.attempts(task)] == ["cancelled"]
    assert (bench.folder / "told-to-stop").exists()


def test_an_isolated_task_whose_child_is_killed_runs_again(bench: Bench) -> None:
    start(bench)
    task = bench.enqueue("wait", {"name": "n"})
    bench.passed("wait-n")
    (worker,) = bench.processes()
    forker = psutil.Process(worker).children()[0]
    for child in forker.children():
        child.kill()
    eventually(lambda: len(bench.attempts(task)) == 2, "it runs again")
    assert bench.task(task)["crash_count"] == 1
    bench.open("n-out")
    assert bench.ended(task)["status"] == "completed"


def test_an_isolated_task_whose_forker_is_killed_runs_again(bench: Bench) -> None:
    start(bench)
    task = bench.enqueue("wait", {"name": "n"})
    bench.passed("wait-n")
    (worker,) = bench.processes()
    (forker,) = psutil.Process(worker).children()
    (child,) = forker.children()
    forker.kill()
    eventually(lambda: gone(child.pid), "the child dies with it")
    bench.open("n-out")
    assert bench.ended(task)["status"] == "completed"
    assert [a["outcome"] for a in bench.attempts(task)] == ["crashed", "completed"]


def test_a_killed_worker_process_takes_its_children_and_theirs_along(bench: Bench) -> None:
    start(bench)
    bench.enqueue("hang", {"child": True}, timeout_s=60)
    eventually(lambda: sleeping(bench), "it starts one")
    (worker,) = bench.processes()
    family = psutil.Process(worker).children(recursive=True)
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: all(gone(p.pid) for p in family), "all of them end")


def test_a_drain_gives_back_what_runs_in_children_and_leaves_none(bench: Bench) -> None:
    worker = start(bench, PGQUEUE_GRACE_S="0.2")
    task = bench.enqueue("hang", timeout_s=60)
    eventually(lambda: list(bench.folder.glob("hang-*")), "it runs")
    family = descendants(bench)
    assert bench.stop(worker) == 0
    released = bench.task(task)
    assert (released["status"], released["attempt"]) == ("queued", 0)
    eventually(lambda: all(gone(p.pid) for p in family), "all of them end")


def test_a_thousand_cancels_of_running_tasks_leave_nothing_behind(bench: Bench) -> None:
    # patient: a machine that is busy with 100 processes is not a handler that ignores its cancel
    start(bench, "--concurrency", "100", PGQUEUE_STOP_GRACE_S="30")
    bench.ended(bench.enqueue("isolated"))
    (worker,) = map(psutil.Process, bench.processes())
    bench.ended(bench.enqueue("plain"))
    before = worker.num_threads()
    sessions = "select count(*) from pg_stat_activity where datname = current_database()"
    connections = bench.value(sessions)
    tasks = bench.enqueue_many(
        [{"type": "wait", "payload": {"name": "w"}, "priority": 0}] * 20
        + [{"type": "gate", "payload": {"name": "g"}}] * 980
    )
    running = "select task_id::text from pgqueue_private.running where not cancel_requested"
    ended = "select count(*) from pgqueue.attempts where outcome = 'cancelled' and final"
    while bench.value(ended) < len(tasks):
        for row in bench.rows(running):
            bench.value("select pgqueue.cancel(%s)", row["task_id"])
    assert {bench.task(id)["status"] for id in tasks} == {"cancelled"}
    (forker,) = worker.children()
    eventually(lambda: len(forker.children()) <= 1, "the children have ended")
    assert worker.num_threads() <= before
    assert bench.value(sessions) <= connections


def test_an_attempt_that_takes_too_much_processor_time_fails_and_the_next_has_as_much(
    bench: Bench,
) -> None:
    start_limited(bench, "--concurrency", "1")
    ended = [bench.ended(bench.enqueue("computing", {"seconds": 0.6})) for _ in range(3)]
    assert [task["status"] for task in ended] == ["completed"] * 3
    assert len({task["result"]["pid"] for task in ended}) == 1
    failed = bench.ended(bench.enqueue("computing", {"seconds": 600}))
    assert (failed["status"], failed["error"]["type"]) == ("failed", "ResourcesExceeded")
    assert "more than 1 s of processor time" in failed["error"]["message"]
    assert bench.ended(bench.enqueue("isolated"))["status"] == "completed"


def test_a_file_that_grows_too_large_fails_the_attempt(bench: Bench) -> None:
    start_limited(bench, "--concurrency", "1")
    assert bench.ended(bench.enqueue("writing", {"size": 1000}))["result"] == 1000
    failed = bench.ended(bench.enqueue("writing", {"size": 1001}))
    assert (failed["status"], failed["error"]["type"]) == ("failed", "OSError")
    assert bench.ended(bench.enqueue("isolated"))["status"] == "completed"


def test_a_handler_without_an_environment_has_none_and_no_connection(bench: Bench) -> None:
    bench.start("--app", "tests.worker.bare:app", PGQUEUE_SECRET="do-not-tell")
    task = bench.enqueue("bare")
    ended = bench.ended(task)
    assert ended["status"] == "completed", ended
    result = ended["result"]
    assert not [text for text in result["initial"] if "do-not-tell" in text]
    assert not [name for name in result["env"] if name.startswith("PGQUEUE_")]
    failed = bench.ended(bench.enqueue("bare_transaction"))
    assert (failed["status"], failed["error"]["type"]) == ("failed", "UsageError")
    assert "env=False leaves it no connection" in failed["error"]["message"]


@pytest.mark.parametrize("type", ["calls", "calls_in_a_thread"])
def test_a_handler_calls_a_function_in_a_process_of_its_own(bench: Bench, type: str) -> None:
    start_limited(bench, "--concurrency", "1")
    pids = [bench.ended(bench.enqueue(type))["result"]["pid"] for _ in range(2)]
    assert len({*pids, *bench.processes()}) == 3
    assert all(gone(pid) for pid in pids)


def test_a_timeout_ends_the_function_that_a_thread_waits_for(bench: Bench) -> None:
    start_limited(bench, "--concurrency", "1")
    task = bench.enqueue("calls_in_a_thread", {"wait": True}, timeout_s=8)
    message = eventually(lambda: (bench.task(task)["progress"] or {}).get("message"), "it runs")
    assert bench.ended(task)["error"]["type"] == "TimedOut"
    eventually(lambda: gone(int(message)), "it is gone")


def test_a_handler_in_a_process_of_its_own_calls_functions_itself(bench: Bench) -> None:
    start_limited(bench, "--concurrency", "1")
    failed = bench.ended(bench.enqueue("calls_in_a_child"))
    assert (failed["status"], failed["error"]["type"]) == ("failed", "UsageError")
