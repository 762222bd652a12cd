"""Workers keep within the limits of a queue, use what they allow, and stop where it is paused."""

import os
import signal
from datetime import timedelta

import pytest

from tests import ledger
from tests.worker.conftest import Bench, eventually

_STARTS_AND_ENDS = "select started_at, finished_at from pgqueue.attempts order by started_at"


def _active(bench: Bench) -> int:
    return bench.value("select count(*) from pgqueue_private.running")


def run_all(bench: Bench, n: int) -> list[ledger.Run]:
    ended = "select count(*) = %s from pgqueue.attempts where outcome = 'completed'"
    eventually(lambda: bench.value(ended, n), f"{n} tasks complete")
    return [ledger.Run(**row) for row in bench.rows(_STARTS_AND_ENDS)]


def test_two_workers_share_a_concurrency_and_fill_it(bench: Bench) -> None:
    bench.value("select pgqueue.set_queue('default', concurrency => 3)::text")
    bench.start()
    bench.start()
    ids = [bench.enqueue("gate", {"name": f"task{n}"}) for n in range(8)]
    for n in range(8):
        eventually(lambda n=n: _active(bench) == min(3, 8 - n), "the places are filled again")
        (running,) = bench.rows(
            "select task_id::text from pgqueue_private.running order by lease_id limit 1"
        )
        bench.open(f"task{ids.index(running['task_id'])}-out")
        bench.ended(running["task_id"])
    assert ledger.max_at_once(run_all(bench, 8)) == 3


def test_the_tasks_of_a_killed_process_give_their_places_to_others(bench: Bench) -> None:
    bench.value("select pgqueue.set_queue('default', concurrency => 2)::text")
    bench.start()
    first = [bench.enqueue("gate", {"name": name}) for name in ("a", "b")]
    eventually(lambda: _active(bench) == 2, "both run")
    others = [bench.enqueue("echo", {"n": n}) for n in range(3)]
    bench.open("a-out")
    bench.open("b-out")
    (pid,) = bench.processes()
    os.kill(pid, signal.SIGKILL)
    for id in (*first, *others):
        assert bench.ended(id)["status"] == "completed"
    assert bench.value("select count(*) from pgqueue_private.running") == 0


def test_no_span_sees_more_starts_than_the_rate(bench: Bench) -> None:
    settings = '{"rate": [{"count": 10, "per_seconds": 0.5}, {"count": 25, "per_seconds": 2}]}'
    bench.value("select pgqueue.patch_queue('default', %s)", settings)
    bench.start("--concurrency", "20")
    bench.start("--concurrency", "20")
    bench.enqueue_many([{"type": "echo"}] * 50)
    runs = run_all(bench, 50)
    assert ledger.max_starts(runs, timedelta(seconds=0.5)) == 10
    assert ledger.max_starts(runs, timedelta(seconds=2)) <= 25


def test_a_paused_queue_starts_nothing_and_goes_on_when_resumed(bench: Bench) -> None:
    bench.start()
    running = bench.enqueue("gate", {"name": "running"}, queue="paused")
    bench.passed("running-in-1")
    bench.value("select pgqueue.pause('paused', 'maintenance')::text")
    waiting = bench.enqueue("echo", queue="paused")
    bench.open("running-out")
    assert bench.ended(running)["status"] == "completed"  # what runs is left alone
    for _ in range(5):
        bench.ended(bench.enqueue("echo"))  # the worker looks, again and again
    task = bench.task(waiting)
    assert task["status"] == "queued"
    assert task["status_reason"].endswith(": maintenance")
    bench.value("select pgqueue.resume('paused')::text")
    assert bench.ended(waiting)["status"] == "completed"


def test_what_was_claimed_ahead_does_not_start_once_its_queue_is_paused(bench: Bench) -> None:
    bench.start("--concurrency", "2")
    bench.enqueue_many([{"type": "echo"}] * 3000)  # fast ones are claimed ahead
    bench.enqueue_many([{"type": "gate", "payload": {"name": "g"}}] * 600)
    eventually(lambda: _active(bench) > 100, "many are claimed")
    bench.passed("g-in-1")
    bench.value("select pgqueue.pause('default')::text")
    eventually(lambda: _active(bench) == 2, "only what has started is kept")
    assert bench.value("select count(*) from pgqueue_private.ready where attempt > 0") == 0
    bench.open("g-out")
    drained = "select pgqueue.drain('default') = 'paused'"
    eventually(lambda: bench.value(drained), "the queue is drained")
    assert bench.value("select count(*) from pgqueue_private.ready") == 598
    bench.value("select pgqueue.resume('default')::text")
    eventually(lambda: bench.value("select pgqueue_private.queues_empty()"), "the rest runs")
    assert bench.value("select max(attempt) from pgqueue.attempts where outcome = 'completed'") == 1


def test_a_limit_holds_within_a_second_of_its_change(bench: Bench) -> None:
    bench.start()
    for n in range(4):
        bench.enqueue("gate", {"name": f"t{n}"})
    eventually(lambda: _active(bench) == 4, "all run")
    bench.value("select pgqueue.set_queue('default', concurrency => 1)::text")
    last = bench.enqueue("echo")
    for n in range(3):
        bench.open(f"t{n}-out")
    eventually(lambda: _active(bench) == 1, "one is left")
    bench.ended(bench.enqueue("echo", queue="other"))
    assert bench.task(last)["status"] == "queued"
    bench.value("""select pgqueue.patch_queue('default', '{"concurrency": null}')::text""")
    assert bench.ended(last)["status"] == "completed"
    bench.open("t3-out")


def test_in_a_fair_queue_a_newcomer_does_not_wait_for_the_backlog_of_another(bench: Bench) -> None:
    bench.value(
        """select pgqueue.set_queue('default', fairness => '{"weights": {"b": 2}}')::text"""
    )
    hog = bench.enqueue_many([{"type": "echo", "fairness_key": "a"}] * 300)
    gate = bench.enqueue("gate", {"name": "hold"}, fairness_key="0", priority=0)
    bench.start("--concurrency", "1")
    bench.passed("hold-in-1")
    late = bench.enqueue_many([{"type": "echo", "fairness_key": "b"}] * 4)
    bench.open("hold-out")
    bench.ended(gate)
    for id in (*late, hog[-1]):
        bench.ended(id)
    started = bench.rows("select task_id::text as id from pgqueue.attempts order by started_at")
    first = [task["id"] for task in started[1:8]]
    assert set(late) < set(first)
    assert [task["id"] for task in started if task["id"] in hog] == hog


def test_keys_share_the_workers_each_within_its_own_limit(bench: Bench) -> None:
    settings = '{"concurrency": 6, "per_key": {"concurrency": 1}}'
    bench.value("select pgqueue.patch_queue('default', %s)", settings)
    bench.value("select pgqueue.set_limit('acme', concurrency => 3)::text")
    bench.start()
    bench.start()
    keys = ["acme", "one", "two", None]
    tasks = [
        {"type": "nap", "payload": {"seconds": 0.02}, "limit_key": keys[n % 4]} for n in range(80)
    ]
    bench.enqueue_many(tasks)
    run_all(bench, 80)
    assert ledger.broken(bench.dsn) == []


@pytest.mark.parametrize("slow", ["queue", "key"])
def test_what_a_handler_slows_starts_nothing_until_then(bench: Bench, slow: str) -> None:
    worker = bench.start()
    slowed = bench.enqueue("slowed", {"slow": slow, "after": 600}, limit_key="acme")
    eventually(lambda: bench.task(slowed)["status"] == "retrying", "it was slowed")
    keyed = {"type": "echo", "limit_key": "acme"}
    *others, keyless = bench.enqueue_many([keyed, keyed, keyed, {"type": "echo"}])
    bench.ended(bench.enqueue("echo", queue="other"))  # the worker looks
    if slow == "key":
        bench.ended(keyless)
    bench.stop(worker)  # a claim reads the clock more than once: it must not jump in between
    bench.value("select pgqueue_private.shift_clock('601 seconds')::text")
    bench.start()
    for id in (*others, slowed, keyless):
        assert bench.ended(id)["status"] == "completed"
    (first, second) = bench.rows(
        "select started_at, finished_at from pgqueue.attempts where task_id = %s order by 1", slowed
    )
    until = first["finished_at"] + timedelta(seconds=600)
    started = [bench.task(id)["started_at"] for id in (*others, keyless)]
    assert all(at >= until for at in (second["started_at"], *started[:3]))
    assert (started[3] >= until) == (slow == "queue")
