"""Checkpoints, steps and transactions, as handlers of a real worker use them."""

from functools import partial

import pytest

from tests.commands import Command
from tests.worker.conftest import Bench, eventually
from tests.worker.remembering import WRONG


def start(bench: Bench, *arguments: str, **environment: str) -> Command:
    return bench.start("--app", "tests.worker.remembering:app", *arguments, **environment)


def calls(bench: Bench, task: str, name: str) -> int:
    """How often a step's function was called for a task."""
    file = bench.folder / f"{name}-{task}"
    return len(file.read_text()) if file.exists() else 0


def effects(bench: Bench) -> list[dict]:
    return bench.rows("select task_id::text, attempt from effect")


@pytest.fixture
def effect(bench: Bench) -> None:
    bench.rows("create table effect (task_id uuid, attempt int)")


def test_a_checkpoint_reaches_the_next_attempt_however_this_one_ends(bench: Bench) -> None:
    start(bench)
    tasks = {
        by: bench.enqueue("resume", {"by": by}, max_attempts=4)
        for by in ("raise", "retry", "snooze")
    }
    for by, task in tasks.items():
        assert bench.ended(task)["result"] == {"n": 3, "attempt": 1 if by == "snooze" else 4}


def test_a_checkpoint_survives_crashes_and_the_end_of_the_task(bench: Bench) -> None:
    start(bench)
    task = bench.enqueue("isolated_resume", {"by": "crash"})
    assert bench.ended(task)["error"]["type"] == "Crashed", "the third crash is final"
    assert bench.rows("select data, attempt from pgqueue.checkpoints") == [
        {"data": {"n": 3}, "attempt": 3}
    ]
    bench.value("select pgqueue.retry(%s)", task)
    assert bench.ended(task)["result"] == {"n": 3, "attempt": 4}


def test_a_step_runs_once_and_its_result_is_the_same_in_every_attempt(bench: Bench) -> None:
    start(bench)
    task = bench.enqueue("steps")
    ended = bench.ended(task)
    assert ended["result"] == [[1, 2], {"ü": None}, [1, 2], [3, 3]]
    outcomes = [a["outcome"] for a in bench.attempts(task)]
    assert outcomes == ["crashed", "failed", "completed"]
    assert calls(bench, task, "plain") == 1
    assert calls(bench, task, "asynchronous") == 2, "one of them is the step named lambda"


def test_a_handler_in_a_thread_has_steps_too(bench: Bench) -> None:
    start(bench)
    task = bench.enqueue("thread_steps")
    assert bench.ended(task)["result"] == [1, 2, [3, 2, 1]]
    assert (calls(bench, task, "plain"), calls(bench, task, "asynchronous")) == (1, 1)


def test_handlers_in_processes_of_their_own_have_all_of_it(bench: Bench, effect: None) -> None:
    start(bench)
    steps, thread_steps = bench.enqueue("isolated_steps"), bench.enqueue("isolated_thread_steps")
    write = bench.enqueue("isolated_write", {"returns": "something else"})
    thread_write = bench.enqueue("isolated_thread_write")
    assert bench.ended(steps)["result"] == [[1, 2], {"ü": None}, [1, 2], [3, 3]]
    assert bench.ended(thread_steps)["result"] == [1, 2, [3, 2, 1]]
    assert (calls(bench, steps, "plain"), calls(bench, steps, "asynchronous")) == (1, 2)
    assert (calls(bench, thread_steps, "plain"), calls(bench, thread_steps, "asynchronous")) == (
        1,
        1,
    )
    ended = bench.ended(write)
    assert (ended["result"], ended["progress"]["percent"]) == ({"attempt": 1}, 70)
    assert bench.ended(thread_write)["result"] == 2
    assert sorted(effects(bench), key=lambda row: row["attempt"]) == [
        {"task_id": write, "attempt": 1},
        {"task_id": thread_write, "attempt": 2},
    ]
    eventually(lambda: "ended_after_completion" in bench.logs(), "the worker says so")
    assert "lease_lost" not in bench.logs(), "no second finish was sent"


def test_a_killed_process_of_a_handler_leaves_one_effect(bench: Bench, effect: None) -> None:
    start(bench)
    before = bench.enqueue("isolated_write", {"inside": "die"})
    after = bench.enqueue("isolated_write", {"after": "die"})
    assert bench.ended(before)["result"] == {"attempt": 2}
    assert bench.ended(after)["result"] == {"attempt": 1}
    eventually(lambda: "ended_after_completion" in bench.logs(), "the worker has heard of it")
    assert [a["outcome"] for a in bench.attempts(before)] == ["crashed", "completed"]
    assert [a["outcome"] for a in bench.attempts(after)] == ["completed"]
    assert {row["task_id"]: row["attempt"] for row in effects(bench)} == {before: 2, after: 1}
    assert len(effects(bench)) == 2


def test_a_step_that_raises_is_not_remembered(bench: Bench) -> None:
    start(bench)
    task = bench.enqueue("failing_step")
    assert bench.ended(task)["result"] == "done"
    assert calls(bench, task, "once") == 2
    assert [a["outcome"] for a in bench.attempts(task)] == ["failed", "completed"]


@pytest.mark.unpooled("it cuts the worker's sessions by their name")
def test_a_step_waits_for_a_database_that_is_away(bench: Bench) -> None:
    start(bench)
    task = bench.enqueue("save_when_opened")
    bench.passed("save-in-1")
    cut = partial(
        bench.value,
        "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity"
        " where application_name like 'pgqueue worker %%' and datname = current_database()",
    )
    assert cut() >= 1
    bench.open("save-out")
    assert bench.ended(task)["result"] == "saved"
    assert [a["outcome"] for a in bench.attempts(task)] == ["completed"]


def test_a_rescued_attempt_can_remember_nothing_more(bench: Bench) -> None:
    first = start(bench)
    task = bench.enqueue("save_when_opened")
    bench.passed("save-in-1")
    # rescued under the feet of a worker that does not know it yet
    (worker,) = bench.rows("select id from pgqueue_private.worker")
    bench.value("select rescued from pgqueue_private.rescue(array[%s]::bigint[])", worker["id"])
    bench.open("save-out")
    start(bench)
    assert bench.ended(task)["result"] == "saved"
    (kept,) = bench.rows("select attempt, data from pgqueue.checkpoints")
    assert kept == {"attempt": 2, "data": 2}
    assert [a["outcome"] for a in bench.attempts(task)] == ["crashed", "completed"]
    assert first.poll() is None


def test_a_transaction_completes_the_task_with_its_writes(bench: Bench, effect: None) -> None:
    worker = start(bench)
    task = bench.enqueue("write")
    ended = bench.ended(task)
    assert (ended["status"], ended["result"]) == ("completed", {"attempt": 1})
    assert ended["progress"]["percent"] == 70
    assert effects(bench) == [{"task_id": task, "attempt": 1}]
    (line,) = bench.rows("select message from pgqueue.events where task_id = %s", task)
    assert line["message"] == "before"
    assert bench.stop(worker) == 0
    assert "ended_after_completion" not in bench.logs()
    assert "lease_lost" not in bench.logs(), "no second finish was sent"


def test_what_was_logged_before_the_completion_is_kept(bench: Bench) -> None:
    start(bench)
    tasks = [bench.enqueue("chatty"), bench.enqueue("thread_chatty")]
    for task in tasks:
        bench.ended(task)
        count = "select count(*) from pgqueue.events where task_id = %s"
        assert bench.value(count, task) == 3_000


def test_a_handler_in_a_thread_has_transactions_too(bench: Bench, effect: None) -> None:
    start(bench)
    task = bench.enqueue("thread_write")
    assert bench.ended(task)["result"] == 2
    assert [a["outcome"] for a in bench.attempts(task)] == ["failed", "completed"]
    assert effects(bench) == [{"task_id": task, "attempt": 2}]
    messages = bench.rows("select message from pgqueue.events where task_id = %s", task)
    assert [row["message"] for row in messages] == ["before", "before"]


def test_what_goes_wrong_inside_rolls_back_and_fails_the_attempt(
    bench: Bench, effect: None
) -> None:
    start(bench)
    expected = {
        "raise": "inside",
        "swallow": "it is INERROR",
        "step": "inside a transaction",
        "commit": "it is IDLE",
    }
    tasks = {
        inside: bench.enqueue("write", {"inside": inside}, max_attempts=2) for inside in expected
    }
    for inside, task in tasks.items():
        ended = bench.ended(task)
        assert ended["status"] == "failed"
        assert expected[inside] in ended["error"]["message"]
    # what the handler itself committed is there; nothing else is
    assert {row["task_id"] for row in effects(bench)} <= {tasks["commit"]}


def test_a_rollback_of_ones_own_leaves_the_task_to_its_handler(bench: Bench, effect: None) -> None:
    start(bench)
    task = bench.enqueue("write", {"inside": "rollback", "returns": 7})
    assert bench.ended(task)["result"] == 7
    assert effects(bench) == []


def test_what_happens_after_the_commit_changes_nothing_and_is_told(
    bench: Bench, effect: None
) -> None:
    start(bench)
    afterwards = [{"after": "raise"}, {"after": "report"}, {"after": "sleep"}, {"returns": 7}]
    tasks = [bench.enqueue("write", payload, timeout_s=4) for payload in afterwards]
    for task in tasks:
        assert bench.ended(task)["result"] == {"attempt": 1}
    eventually(lambda: bench.logs().count("ended_after_completion") == 4, "the worker says so")
    for task in tasks:
        assert [a["outcome"] for a in bench.attempts(task)] == ["completed"]
    assert len(effects(bench)) == 4
    assert bench.rows("select 1 from pgqueue_private.artifact") == []
    assert bench.value("select count(*) from pgqueue.events") == 4, "none of them came too late"


def test_a_cancel_that_was_asked_inside_keeps_the_writes_out(bench: Bench, effect: None) -> None:
    start(bench)
    task = bench.enqueue("write", {"gate": "c"})
    bench.passed("c-in-1")
    # asked without a notification, and found by no heartbeat yet: the commit meets it first
    bench.rows("update pgqueue_private.running set cancel_requested = true")
    bench.open("c-out")
    assert bench.ended(task)["status"] == "cancelled"
    assert effects(bench) == []


def test_a_rescue_inside_keeps_the_writes_out(bench: Bench, effect: None) -> None:
    start(bench)
    task = bench.enqueue("write", {"gate": "r"})
    bench.passed("r-in-1")
    (worker,) = bench.rows("select id from pgqueue_private.worker")
    bench.value("select rescued from pgqueue_private.rescue(array[%s]::bigint[])", worker["id"])
    start(bench)
    bench.passed("r-in-2")
    bench.open("r-out")
    assert bench.ended(task)["result"] == {"attempt": 2}
    assert effects(bench) == [{"task_id": task, "attempt": 2}]


def test_a_deferred_constraint_fails_the_attempt_with_its_own_error(bench: Bench) -> None:
    bench.rows("create table keys (n int primary key)")
    bench.rows("create table checked (n int references keys deferrable initially deferred)")
    start(bench)
    ended = bench.ended(bench.enqueue("deferred"))
    assert ended["error"]["type"] == "ForeignKeyViolation"
    assert bench.value("select count(*) from checked") == 0


def test_a_transaction_finds_its_connection_as_if_it_were_new(bench: Bench) -> None:
    start(bench, "--concurrency", "1")
    tasks = [bench.enqueue("session") for _ in range(8)]
    results = {tuple(bench.ended(task)["result"]) for task in tasks}
    assert len(results) == 1
    assert results != {("77MB",)}


def test_what_cannot_be_right_is_a_usage_error(bench: Bench) -> None:
    start(bench)
    tasks = {what: bench.enqueue("wrong", {"what": what}) for what in WRONG}
    errors = {what: bench.ended(task)["error"]["type"] for what, task in tasks.items()}
    assert errors == dict.fromkeys(WRONG, "UsageError")
