"""Why a task waits: each state says so, exactly, and when it may start at the earliest."""

from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from tests.database.queue import Queue
from tests.database.test_limits import claim, limit


def worker(
    queue: Queue, *types: str, queues: tuple[str, ...] = (), slots: int = 10, lease_s: float = 15
) -> int:
    return queue.value(
        "select pgqueue_private.register_worker('sup:1', 'host', 7, '1', %s, %s, %s, %s)",
        *(list(queues), list(types) or ["t"], slots, lease_s),
    )


def explain(queue: Queue, id: str) -> list[dict[str, Any]]:
    return queue.rows("select * from pgqueue.explain(%s)", id)


def why(queue: Queue, id: str) -> dict[str, Any]:
    (reason,) = explain(queue, id)
    return reason


def codes(queue: Queue, id: str) -> list[str]:
    return [reason["code"] for reason in explain(queue, id)]


def enqueue(on: Queue, /, **task: Any) -> str:
    (id,) = on.enqueue_many({"type": "t", **task})
    return id


@pytest.fixture(autouse=True)
def _still(queue: Queue) -> None:
    """Explanations foretell times: the clock stands still, so that they are exact."""
    queue.stop_clock()


def test_a_task_that_nothing_holds_may_start_now(queue: Queue) -> None:
    worker(queue)
    reason = why(queue, enqueue(queue))
    assert (reason["code"], reason["details"]) == ("ready", {})
    assert reason["earliest_start_at"] == queue.now()


def test_a_task_that_is_not_there_has_no_reasons(queue: Queue) -> None:
    assert explain(queue, "00000000-0000-7000-8000-000000000000") == []


def test_a_scheduled_task_waits_for_its_time(queue: Queue) -> None:
    worker(queue)
    id = enqueue(queue, delay_s=3600)
    reason = why(queue, id)
    assert reason["code"] == "scheduled"
    assert reason["earliest_start_at"] == queue.task(id)["run_at"]
    assert reason["message"].startswith("It is scheduled for 2")
    queue.shift_clock(3700)
    worker(queue)
    due = why(queue, id)
    assert due["code"] == "due"
    assert due["earliest_start_at"] == queue.now()


def test_a_task_that_failed_waits_for_its_next_attempt(queue: Queue) -> None:
    id = enqueue(queue)
    (lease,) = queue.claim(worker(queue))
    error = {"type": "LookupError", "message": "no such page"}
    queue.finish(lease, "failed", delay_s=60, error=error)
    reason = why(queue, id)
    assert reason["code"] == "backoff"
    assert reason["message"].startswith(
        "Attempt 1 of 3 failed: no such page; the next may start at "
    )
    assert reason["earliest_start_at"] == queue.task(id)["next_retry_at"]
    assert (reason["details"]["attempt"], reason["details"]["max_attempts"]) == (1, 3)


@pytest.mark.parametrize("outcome", ["snoozed", "released"])
def test_a_task_that_was_put_off_says_until_when_and_why(queue: Queue, outcome: str) -> None:
    id = enqueue(queue)
    (lease,) = queue.claim(worker(queue))
    queue.finish(lease, outcome, delay_s=60, reason="the shop is closed")
    reason = why(queue, id)
    assert (reason["code"], reason["details"]["reason"]) == (outcome, "the shop is closed")
    assert reason["message"].endswith(": the shop is closed.")
    assert reason["earliest_start_at"] == queue.now() + timedelta(seconds=60)


def test_a_paused_queue_says_who_and_why_and_since_when(queue: Queue) -> None:
    worker(queue)
    waiting, later = enqueue(queue), enqueue(queue, delay_s=60)
    queue.rows("select pgqueue.pause('default', 'the printer burns', 'ada')")
    reason = why(queue, waiting)
    assert (reason["code"], reason["earliest_start_at"]) == ("paused", None)
    assert reason["message"].startswith("Queue default was paused by ada at ")
    assert reason["message"].endswith(": the printer burns.")
    assert (reason["details"]["by"], reason["details"]["reason"]) == ("ada", "the printer burns")
    assert codes(queue, later) == ["paused", "scheduled"]


def test_a_queue_without_a_live_worker_says_when_the_last_was_heard_of(queue: Queue) -> None:
    id = enqueue(queue, queue="email")
    never = why(queue, id)
    assert (never["code"], never["details"]) == ("no_worker", {"last_heartbeat_at": None})
    assert never["message"] == "No live worker serves queue email."
    worker(queue, queues=("other",))
    assert codes(queue, id) == ["no_worker"]
    draining = worker(queue, queues=("email",), lease_s=100)
    assert codes(queue, id) == ["ready"]
    queue.rows("select pgqueue_private.set_worker_state(%s, 'draining')", draining)
    assert codes(queue, id) == ["no_worker"]
    worker(queue, queues=("email",), lease_s=1)
    queue.shift_clock(5)
    lost = why(queue, id)
    assert lost["code"] == "no_worker"
    assert lost["message"].startswith(
        "No live worker serves queue email; the last heartbeat was at"
    )


def test_a_type_that_no_live_worker_handles_says_so(queue: Queue) -> None:
    worker(queue, "other")
    worker(queue, "another")
    reason = why(queue, enqueue(queue))
    assert (reason["code"], reason["details"]) == ("no_handler", {"workers": 2})
    assert reason["message"] == "None of the 2 live workers of queue default handles type t."


def test_a_full_queue_names_the_holders_and_when_a_place_is_free(queue: Queue) -> None:
    ours = worker(queue)
    limit(queue, '{"concurrency": 2}')
    kind = {
        "name": "u",
        "queue": "default",
        "timeout_s": 30,
        "description": "",
        "payload_schema": {},
    }
    queue.rows("select pgqueue_private.publish_types(%s)", orjson.dumps([kind]).decode())
    enqueue(queue, timeout_s=90)
    enqueue(queue, type="u", timeout_s=None)
    leases = claim(queue, ours)
    id = enqueue(queue)
    reason = why(queue, id)
    assert (reason["code"], reason["earliest_start_at"]) == ("queue_concurrency", None)
    details = reason["details"]
    assert (details["limit"], details["used"], details["cost"]) == (2, 2, 1)
    assert [h["task_id"] for h in details["holders"]] == [lease["task_id"] for lease in leases]
    assert {(h["type"], h["worker"]) for h in details["holders"]} == {
        ("t", "host:7"),
        ("u", "host:7"),
    }
    frees = datetime.fromisoformat(details["next_free_at"])
    assert frees == queue.now() + timedelta(seconds=30)  # the type's own time limit
    assert reason["message"].startswith("2 of 2 slots of queue default are taken; one is free at ")
    queue.finish(leases[0])
    assert codes(queue, id) == ["ready"]


ONE = '{"rate": [{"count": 2, "per_seconds": 10}]}'
TWO = '{"rate": [{"count": 2, "per_seconds": 10}, {"count": 5, "per_seconds": 100}]}'


@pytest.mark.parametrize(("settings", "exact"), [(ONE, True), (TWO, False)])
def test_a_used_up_rate_says_when_each_task_may_start(
    queue: Queue, settings: str, exact: bool
) -> None:
    limit(queue, settings)
    ids = queue.enqueue_many(*[{"type": "t"}] * 8)
    ours = worker(queue, lease_s=10_000)
    foretold: dict[str, datetime] = {}
    waiting = ids
    while True:
        started = {lease["task_id"] for lease in claim(queue, ours)}
        waiting = [id for id in waiting if id not in started]
        if not waiting:
            break
        for id in waiting:
            foretold.setdefault(id, explain(queue, id)[0]["earliest_start_at"])
        due = explain(queue, waiting[0])[0]
        assert due["code"] == "queue_rate"
        queue.stop_clock(due["earliest_start_at"] - timedelta(milliseconds=1))
        assert claim(queue, ours) == []  # not before
        queue.stop_clock(due["earliest_start_at"])
    starts = queue.rows("select task_id::text as id, started_at from pgqueue_private.running")
    for start in starts:
        expected = foretold.get(start["id"], start["started_at"])
        late = (start["started_at"] - expected).total_seconds()
        # two rates together may take longer than each by itself, never less
        assert late == 0 if exact else 0 <= late < 100, start


def test_a_smooth_rate_and_a_slowed_queue_say_when(queue: Queue) -> None:
    ours = worker(queue)
    limit(queue, '{"rate": [{"count": 6, "per_seconds": 60, "smooth": true}]}')
    ids = queue.enqueue_many(*[{"type": "t"}] * 3)
    assert len(claim(queue, ours)) == 1
    (first, *_), (second, *_) = explain(queue, ids[1]), explain(queue, ids[2])
    assert (first["code"], second["code"]) == ("queue_rate", "queue_rate")
    assert first["earliest_start_at"] == queue.now() + timedelta(seconds=10)
    assert second["earliest_start_at"] == queue.now() + timedelta(seconds=20)
    queue.rows("select pgqueue_private.slow_down('default', null, 3600, 'the provider said 429')")
    slowed = explain(queue, ids[1])[0]
    assert slowed["code"] == "queue_slowed"
    assert slowed["message"].endswith(": the provider said 429.")
    assert slowed["earliest_start_at"] == queue.now() + timedelta(hours=1)


def test_a_full_key_holds_its_tasks_and_no_others(queue: Queue) -> None:
    ours = worker(queue)
    limit(queue, '{"per_key": {"concurrency": 1}}')
    held, blocked = queue.enqueue_many(*[{"type": "t", "limit_key": "acme"}] * 2)
    free = enqueue(queue, limit_key="globex")
    assert {lease["task_id"] for lease in claim(queue, ours, 2)} == {held, free}
    assert queue.status(blocked) == "blocked"
    reason = why(queue, blocked)
    assert reason["code"] == "key_concurrency"
    assert [holder["task_id"] for holder in reason["details"]["holders"]] == [held]
    assert reason["message"] == "1 of 1 slots of limit_key acme are taken."
    runnable = enqueue(queue, limit_key="acme")
    assert "key_concurrency" in codes(queue, runnable)


def test_a_used_up_rate_of_a_key_says_when_each_may_start(queue: Queue) -> None:
    ours = worker(queue, lease_s=1000)
    queue.rows("""select pgqueue.set_limit('acme', rate => '[{"count": 1, "per_seconds": 60}]')""")
    ids = queue.enqueue_many(*[{"type": "t", "limit_key": "acme"}] * 3)
    assert len(claim(queue, ours)) == 1
    for place, id in enumerate(ids[1:], 1):
        first = explain(queue, id)[0]
        assert first["code"] == "key_rate"
        assert first["earliest_start_at"] == queue.now() + timedelta(seconds=60 * place)
    queue.rows("select pgqueue_private.slow_down('default', 'acme', 3600, 'the provider said 429')")
    assert explain(queue, ids[1])[0]["code"] == "key_slowed"


def test_a_task_that_waits_for_others_names_them_and_where_they_are(queue: Queue) -> None:
    ours = worker(queue)
    done, running = enqueue(queue), enqueue(queue)
    leases = {lease["task_id"]: lease for lease in queue.claim(ours)}
    waiting = enqueue(queue, delay_s=60)
    child = enqueue(queue, depends_on=[done, running, {"task": waiting, "on_failure": "run"}])
    queue.finish(leases[done])
    reason = why(queue, child)
    assert (reason["code"], reason["earliest_start_at"]) == ("dependency", None)
    assert (reason["details"]["open"], reason["details"]["of"]) == (2, 3)
    shown = {
        task["id"]: (task["status"], task["on_failure"]) for task in reason["details"]["tasks"]
    }
    assert shown == {running: ("active", "cancel"), waiting: ("scheduled", "run")}
    assert reason["message"].startswith(f"It waits for 2 of 3 tasks: t {min(running, waiting)} is ")
    queue.finish(leases[running])
    assert why(queue, child)["details"]["open"] == 1


def test_a_task_with_others_before_it_says_how_many(queue: Queue) -> None:
    worker(queue)
    first, second = enqueue(queue), enqueue(queue)
    urgent = enqueue(queue, priority=0)
    assert codes(queue, urgent) == ["ready"]
    assert why(queue, first)["details"] == {"tasks": 1, "exact": True}
    behind = why(queue, second)
    assert (behind["code"], behind["details"]["tasks"]) == ("behind", 2)
    assert behind["message"] == "2 tasks of queue default come before it."
    assert behind["earliest_start_at"] == queue.now()  # workers may take all of them at once


def test_more_than_is_cheap_to_count_is_said_to_be_at_least(queue: Queue) -> None:
    worker(queue)
    queue.enqueue_many(*[{"type": "t"}] * 10_001)
    behind = why(queue, enqueue(queue))
    assert behind["details"] == {"tasks": 10_000, "exact": False}
    assert behind["message"].startswith("At least 10000 tasks")


def test_in_a_fair_queue_only_those_of_the_same_key_are_surely_before_it(queue: Queue) -> None:
    worker(queue)
    queue.rows("select pgqueue.set_queue('default', fairness => '{}')")
    queue.enqueue_many(*[{"type": "t", "fairness_key": "acme"}] * 5)
    id = enqueue(queue, fairness_key="globex")
    last = enqueue(queue, fairness_key="globex")
    assert codes(queue, id) == ["ready"]
    behind = why(queue, last)
    assert behind["details"] == {"tasks": 1, "exact": False, "fairness_key": "globex"}


def test_when_all_slots_are_taken_it_says_how_many(queue: Queue) -> None:
    ours = worker(queue, slots=2)
    enqueue(queue)
    enqueue(queue)
    queue.claim(ours)
    reason = why(queue, enqueue(queue))
    assert (reason["code"], reason["earliest_start_at"]) == ("workers_busy", None)
    assert reason["details"] == {"workers": 1, "slots": 2, "running": 2}


def test_a_task_that_took_its_process_down_twice_is_not_held_back(queue: Queue) -> None:
    id = enqueue(queue)
    for _ in range(2):
        dying = worker(queue)
        queue.claim(dying)
        queue.rescue(dying)
    worker(queue)
    reason = why(queue, id)
    assert (reason["code"], reason["details"]) == ("ready", {})


def test_a_task_whose_time_is_over_or_cannot_be_met_says_so(queue: Queue) -> None:
    worker(queue, lease_s=1000)
    id = enqueue(queue, expires_in_s=30)
    assert codes(queue, id) == ["ready"]
    never = enqueue(queue, expires_in_s=30, delay_s=60)
    assert codes(queue, never) == ["expires_first", "scheduled"]
    queue.shift_clock(40)
    over = explain(queue, id)
    assert over[0]["code"] == "expired"
    assert over[0]["earliest_start_at"] is None


def test_what_holds_longest_comes_first(queue: Queue) -> None:
    limit(queue, '{"rate": [{"count": 1, "per_seconds": 60}]}')
    ours = worker(queue)
    ids = queue.enqueue_many(*[{"type": "t"}] * 3)
    claim(queue, ours)
    assert codes(queue, ids[1]) == ["queue_rate"]
    assert codes(queue, ids[2]) == ["queue_rate", "behind"]
    queue.rows("select pgqueue.pause('default')")
    queue.shift_clock(20)
    assert codes(queue, ids[2]) == ["paused", "no_worker", "queue_rate", "behind"]


def test_a_task_that_runs_says_where_and_since_when(queue: Queue) -> None:
    lease = queue.start(worker(queue))
    reason = why(queue, lease["task_id"])
    assert (reason["code"], reason["earliest_start_at"]) == ("active", None)
    assert reason["message"].startswith("It has been running on host:7 since ")
    assert (reason["details"]["worker"], reason["details"]["attempt"]) == ("host:7", 1)
    queue.cancel(lease["task_id"])
    assert why(queue, lease["task_id"])["message"].endswith("it was asked to stop.")


def test_a_task_that_has_ended_says_how(queue: Queue) -> None:
    ours = worker(queue)
    done, broken = enqueue(queue), enqueue(queue)
    leases = {lease["task_id"]: lease for lease in queue.claim(ours)}
    queue.finish(leases[done])
    queue.finish(leases[broken], "failed", retry=False, error={"type": "E", "message": "no way"})
    dropped = enqueue(queue)
    queue.cancel(dropped, "no use")
    said = {id: why(queue, id) for id in (done, broken, dropped)}
    assert [reason["code"] for reason in said.values()] == ["completed", "failed", "cancelled"]
    assert said[done]["message"].startswith("It completed at ")
    assert said[broken]["message"].endswith(", in attempt 1: no way.")
    assert said[dropped]["message"].endswith(": no use.")
    assert all(reason["earliest_start_at"] is None for reason in said.values())


def test_explaining_changes_nothing(queue: Queue) -> None:
    ours = worker(queue)
    limit(queue, '{"concurrency": 1}')
    ids = queue.enqueue_many(*[{"type": "t", "limit_key": "a"}] * 3)
    claim(queue, ours)
    with queue.connection.transaction():
        queue.rows("set transaction read only")
        for id in ids:
            assert explain(queue, id)


def usage(on: Queue, /, **where: Any) -> list[dict[str, Any]]:
    condition = " and ".join(f"{name} is not distinct from %s" for name in where) or "true"
    return on.rows(
        f"select * from pgqueue.limit_usage where {condition} order by kind, per_seconds",
        *where.values(),
    )


def test_the_usage_of_a_queue_is_that_of_its_limits(queue: Queue) -> None:
    ours = worker(queue)
    limit(queue, '{"concurrency": 5, "rate": [{"count": 2, "per_seconds": 10}]}')
    queue.enqueue_many(*[{"type": "t", "timeout_s": 50}] * 4)
    claim(queue, ours)
    queue.value("select pgqueue_private.sample_queues()::text")
    slots, starts = usage(queue, queue="default")
    assert (slots["kind"], slots["allowed"], slots["used"], slots["free"]) == (
        *("concurrency", 5, 2),
        3,
    )
    assert (slots["waiting"], slots["next_free_at"]) == (2, None)
    assert (starts["kind"], starts["allowed"], starts["used"], starts["free"]) == ("rate", 2, 2, 0)
    assert starts["next_free_at"] == queue.now() + timedelta(seconds=10)
    limit(queue, '{"concurrency": 2, "rate": null}')
    (full,) = usage(queue, queue="default")
    assert full["next_free_at"] == queue.now() + timedelta(seconds=50)


def test_the_usage_of_keys_is_there_for_those_in_use(queue: Queue) -> None:
    ours = worker(queue)
    limit(queue, '{"per_key": {"concurrency": 1}}')
    queue.rows("select pgqueue.set_limit('acme', concurrency => 2)")
    for key in ("a", "a", "b", "acme", "acme", "acme"):
        enqueue(queue, limit_key=key)
    claim(queue, ours)
    shown = {
        (row["queue"], row["limit_key"]): (row["allowed"], row["used"], row["free"], row["waiting"])
        for row in usage(queue)
    }
    assert shown == {
        ("default", "a"): (1, 1, 0, 1),
        ("default", "b"): (1, 1, 0, 0),
        (None, "acme"): (2, 2, 0, 1),
    }
