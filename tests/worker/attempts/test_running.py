"""What a worker does with the tasks that it claims."""

import signal

import pytest

from tests.worker.conftest import Bench, eventually


def test_a_task_runs_and_its_result_is_kept(bench: Bench) -> None:
    task = bench.enqueue("echo", {"x": [1, "ä"]}, queue="mail")
    bench.start()
    ended = bench.ended(task)
    assert ended["status"] == "completed"
    assert ended["result"] == {
        "payload": {"x": [1, "ä"]},
        "attempt": 1,
        "type": "echo",
        "queue": "mail",
    }
    assert [a["outcome"] for a in bench.attempts(task)] == ["completed"]


def test_a_typed_payload_is_decoded_and_a_typed_result_encoded(bench: Bench) -> None:
    bench.start()
    assert bench.ended(bench.enqueue("order", {"number": 41}))["result"] == {"number": 42}


def test_a_payload_that_does_not_fit_fails_at_once_and_says_where(bench: Bench) -> None:
    bench.start()
    ended = bench.ended(bench.enqueue("order", {"number": "many"}))
    assert (ended["status"], ended["attempt"]) == ("failed", 1)
    assert ended["error"]["type"] == "payload_invalid"
    assert ended["error"]["errors"][0]["pointer"] == "/payload/number"


def test_a_plain_function_runs_in_a_thread_and_reports_from_there(bench: Bench) -> None:
    bench.start()
    task = bench.enqueue("plain")
    ended = bench.ended(task)
    assert ended["result"].startswith("pgqueue-handler")
    assert ended["progress"]["percent"] == 50
    (event,) = bench.rows("select * from pgqueue.events where task_id = %s", task)
    assert (event["message"], event["level"]) == ("in a thread", "info")
    (artifact,) = bench.rows("select * from pgqueue_private.artifact where task_id = %s", task)
    assert bytes(artifact["data"]) == b"from a thread"


def test_progress_logs_and_artifacts_are_seen_while_the_handler_runs(bench: Bench) -> None:
    bench.start()
    task = bench.enqueue("report")
    eventually(
        lambda: (bench.task(task)["progress"] or {}).get("percent") == 75, "progress is recorded"
    )
    assert bench.task(task)["status"] == "active"
    assert bench.task(task)["progress"]["message"] == "step 3"
    events = "select message from pgqueue.events where task_id = %s order by lease_id, seq"
    eventually(lambda: len(bench.rows(events, task)) == 3, "log lines are stored")
    assert [row["message"] for row in bench.rows(events, task)] == ["step 1", "step 2", "step 3"]
    eventually(
        lambda: bench.rows("select 1 from pgqueue_private.artifact"), "the artifact is stored"
    )
    bench.open("report-out")
    ended = bench.ended(task)
    assert (ended["result"], ended["progress"]["percent"]) == ("reported", 75)


def test_a_failure_is_retried_until_it_succeeds_and_each_attempt_is_kept(bench: Bench) -> None:
    bench.start()
    task = bench.enqueue("fail", {"times": 2})
    assert bench.ended(task)["status"] == "completed"
    attempts = bench.attempts(task)
    assert [a["outcome"] for a in attempts] == ["failed", "failed", "completed"]
    assert [a["attempt"] for a in attempts] == [1, 2, 3]
    error = attempts[0]["error"]
    assert (error["type"], error["message"]) == ("LookupError", "attempt 1")
    assert "handlers.py" in error["traceback"]
    assert "runner.py" not in error["traceback"]


def test_the_last_failure_is_final(bench: Bench) -> None:
    bench.start()
    task = bench.enqueue("fail", max_attempts=2)
    ended = bench.ended(task)
    assert (ended["status"], ended["attempt"], ended["status_reason"]) == (
        "failed",
        2,
        "attempt 2",
    )


def test_an_exception_that_is_not_retried_ends_the_task(bench: Bench) -> None:
    bench.start()
    ended = bench.ended(bench.enqueue("final"))
    assert (ended["status"], ended["attempt"]) == ("failed", 1)


@pytest.mark.parametrize("type", ["slow", "deaf", "stubborn"])
def test_a_handler_that_is_not_done_in_time_is_cancelled(bench: Bench, type: str) -> None:
    bench.start()
    task = bench.enqueue(type)
    ended = bench.ended(task)
    assert ended["status"] == "failed"
    assert ended["error"]["type"] == "TimedOut"
    assert [a["outcome"] for a in bench.attempts(task)] == ["timed_out"]


def test_the_timeout_of_a_task_goes_before_that_of_its_type(bench: Bench) -> None:
    bench.start()
    ended = bench.ended(bench.enqueue("gate", {"name": "t"}, timeout_s=0.1, max_attempts=1))
    assert ended["error"]["message"] == "not done within 0.1 s"


def test_outcomes_are_return_values(bench: Bench) -> None:
    bench.start()
    retried, snoozed, cancelled = map(bench.enqueue, ("retry", "snooze", "quit"))
    assert bench.ended(retried)["result"] == "done"
    assert [a["outcome"] for a in bench.attempts(retried)] == ["failed", "completed"]
    assert bench.ended(snoozed)["result"] == 1, "a snooze charges no attempt"
    assert [a["outcome"] for a in bench.attempts(snoozed)] == ["snoozed", "completed"]
    ended = bench.ended(cancelled)
    assert (ended["status"], ended["status_reason"]) == ("cancelled", "no use")


def test_a_cancel_stops_a_running_handler(bench: Bench) -> None:
    bench.start()
    task = bench.enqueue("gate", {"name": "c"})
    bench.passed("c-in-1")
    assert bench.value("select pgqueue.cancel(%s)", task) == "active"
    assert bench.ended(task)["status"] == "cancelled"
    assert [a["outcome"] for a in bench.attempts(task)] == ["cancelled"]


def test_an_unknown_type_stays_queued_with_a_reason(bench: Bench) -> None:
    bench.start()
    task = bench.enqueue("no_such_type")
    seen = bench.task(task)
    assert (seen["status"], seen["attempt"]) == ("queued", 0)
    assert seen["status_reason"] == "no live worker of queue default has type no_such_type"


def test_the_environment_reaches_handlers(bench: Bench) -> None:
    bench.start(SHOP_NAME="Müller")
    task = bench.enqueue("environment", {"name": "SHOP_NAME"})
    assert bench.ended(task)["result"] == {"value": "Müller"}


def test_burst_exits_when_the_queues_are_empty(bench: Bench) -> None:
    tasks = bench.enqueue_many([{"type": "echo"}] * 300)
    worker = bench.start("--burst", wait=False)
    assert worker.wait(45) == 0
    assert {bench.task(task)["status"] for task in tasks} == {"completed"}
    assert bench.value("select count(*) from pgqueue_private.worker where state <> 'stopped'") == 0


def test_a_worker_serves_only_its_queues(bench: Bench) -> None:
    mine, other = bench.enqueue("echo", queue="a"), bench.enqueue("echo", queue="b")
    assert bench.start("--burst", "--queues", "a", wait=False).wait(45) == 0
    assert bench.task(mine)["status"] == "completed"
    assert bench.task(other)["status"] == "queued"


def test_a_queue_that_nobody_has_heard_of_is_served(bench: Bench) -> None:
    bench.start()
    assert bench.ended(bench.enqueue("echo"))["status"] == "completed"
    assert bench.ended(bench.enqueue("echo", queue="brand new"))["status"] == "completed"


def test_urgent_tasks_go_first(bench: Bench) -> None:
    tasks = [bench.enqueue("echo", priority=p) for p in (9, 5, 0, 3)]
    bench.start("--burst", "--concurrency", "1", wait=False).wait(45)
    order = bench.rows("select task_id::text from pgqueue.attempts order by started_at, lease_id")
    assert [row["task_id"] for row in order] == [tasks[2], tasks[3], tasks[1], tasks[0]]


def test_a_delayed_task_runs_when_it_is_due_and_not_before(bench: Bench) -> None:
    bench.start()
    task = bench.enqueue_many([{"type": "echo", "delay_s": 2}])[0]
    assert bench.task(task)["status"] == "scheduled"
    bench.ended(task)
    late = bench.value(
        "select extract(epoch from a.started_at - t.run_at)::float8"
        " from pgqueue.attempts as a join pgqueue.tasks as t on t.id = a.task_id"
    )
    assert 0 <= late < 10


def test_published_types_are_in_the_database(bench: Bench) -> None:
    bench.start()
    (row,) = bench.rows("select * from pgqueue_private.task_type where name = 'order'")
    assert row["payload_schema"]["properties"]["number"]["type"] == "integer"
    assert row["queue"] == "default"


def test_an_app_that_cannot_be_loaded_says_so(bench: Bench) -> None:
    worker = bench.start("--app", "tests.worker.nothing:app", wait=False)
    assert worker.wait(45) == 1
    assert "there is no module 'tests.worker.nothing'" in bench.logs()
    assert "Traceback" not in bench.logs()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_drain_lets_handlers_end_and_gives_back_the_rest(
    bench: Bench, number: signal.Signals
) -> None:
    worker = bench.start("--concurrency", "1")
    first = bench.enqueue("gate", {"name": "d"})
    bench.passed("d-in-1")
    second = bench.enqueue("gate", {"name": "e"})
    worker.send_signal(number)
    eventually(
        lambda: bench.rows("select 1 from pgqueue_private.worker where state = 'draining'"),
        "it drains",
    )
    bench.open("d-out")
    assert worker.wait(45) == 0
    assert bench.task(first)["status"] == "completed"
    assert bench.task(second)["status"] == "queued"
    assert bench.task(second)["attempt"] == 0


def test_after_its_grace_a_drain_releases_what_still_runs(bench: Bench) -> None:
    worker = bench.start(PGQUEUE_GRACE_S="0.2")
    task = bench.enqueue("gate", {"name": "g"})
    bench.passed("g-in-1")
    assert bench.stop(worker) == 0
    released = bench.task(task)
    assert (released["status"], released["attempt"]) == ("queued", 0)
    assert [a["outcome"] for a in bench.attempts(task)] == ["released"]


def test_a_task_that_expired_is_cancelled_where_nobody_serves_its_queue(bench: Bench) -> None:
    bench.start("--queues", "other")
    (task,) = bench.enqueue_many([{"type": "echo", "expires_in_s": 0.3}])
    ended = bench.ended(task)
    assert (ended["status"], ended["status_reason"]) == ("cancelled", "expired before it started")
    assert bench.attempts(task) == []


def test_an_expired_task_never_runs(bench: Bench) -> None:
    late = bench.enqueue_many([{"type": "gate", "payload": {"name": "x"}, "expires_in_s": 0}] * 20)
    assert bench.start("--burst", wait=False).wait(45) == 0
    assert {bench.task(id)["status"] for id in late} == {"cancelled"}
    assert not (bench.folder / "x-in-1").exists()


def test_a_task_of_an_unknown_type_is_run_by_a_worker_that_knows_it(bench: Bench) -> None:
    ignorant = bench.start()
    task = bench.enqueue("isolated")
    eventually(lambda: bench.task(task)["status_reason"], "the worker looks at it")
    bench.stop(ignorant)
    bench.value("select pgqueue_private.shift_clock('15 s')::text")
    bench.start("--app", "tests.worker.isolated:app")
    assert bench.ended(task)["status"] == "completed"
    assert bench.task(task)["attempt"] == 1
