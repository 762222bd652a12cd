"""Finish: each attempt is recorded once, only by the holder of its lease."""

from datetime import timedelta

import pytest

from tests.database.queue import Queue


@pytest.mark.usefixtures("running_clock")  # `make mutants` asks it whether anything works at all
def test_a_completed_task_keeps_its_result(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    assert queue.finish(lease, result={"sum": 3}, progress={"percent": 100}) == []
    task = queue.task(lease["task_id"])
    assert (task["status"], task["result"], task["error"]) == ("completed", {"sum": 3}, None)
    assert (task["attempt"], task["progress"]["percent"]) == (1, 100)
    assert task["created_at"] <= task["started_at"] <= task["finished_at"]
    assert queue.count("running") == 0


@pytest.mark.parametrize("outcome", ["failed", "timed_out"])
def test_a_failed_attempt_is_tried_again_after_its_delay(queue: Queue, outcome: str) -> None:
    worker = queue.worker()
    lease = queue.start(worker)
    error = {"type": "ValueError", "message": "no"}
    assert queue.finish(lease, outcome, error=error, delay_s=30, result=1) == []
    task = queue.task(lease["task_id"])
    assert (task["status"], task["error"], task["result"]) == ("retrying", error, None)
    assert task["status_reason"].startswith("retries at ")
    assert task["next_retry_at"] == task["run_at"]
    assert task["finished_at"] is None
    assert queue.promote()["moved"] == 0
    queue.shift_clock(31)
    assert queue.promote()["moved"] == 1
    (again,) = queue.claim(queue.worker())
    assert (again["task_id"], again["attempt"]) == (lease["task_id"], 2)
    (first,) = queue.attempts(lease["task_id"])
    assert (first["outcome"], first["final"], first["error"]) == (outcome, False, error)


@pytest.mark.parametrize("outcome", ["failed", "timed_out"])
def test_a_task_fails_when_its_attempts_are_spent(queue: Queue, outcome: str) -> None:
    worker = queue.worker()
    id = queue.enqueue(max_attempts=3)
    statuses = []
    for _ in range(3):
        (lease,) = queue.claim(worker)
        queue.finish(lease, outcome, error={"type": "E", "message": f"try {lease['attempt']}"})
        statuses.append(queue.status(id))
        queue.promote()
    assert statuses == ["retrying", "retrying", "failed"]
    task = queue.task(id)
    assert (task["attempt"], task["status_reason"]) == (3, "try 3")
    assert task["error"] == {"type": "E", "message": "try 3"}
    assert [a["final"] for a in queue.attempts(id)] == [False, False, True]
    assert queue.claimed(worker) == []


def test_a_failure_that_says_so_is_final(queue: Queue) -> None:
    lease = queue.start(queue.worker(), max_attempts=9)
    queue.finish(lease, "failed", retry=False)
    assert queue.status(lease["task_id"]) == "failed"


def test_a_handler_may_cancel_its_task(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    queue.finish(lease, "cancelled", error={"type": "Cancel", "message": "not needed"})
    task = queue.task(lease["task_id"])
    assert (task["status"], task["status_reason"]) == ("cancelled", "not needed")


def test_a_snooze_gives_the_attempt_back(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker, max_attempts=1)
    for _ in range(4):
        queue.finish(lease, "snoozed", delay_s=60, reason="rate limited upstream")
        task = queue.task(lease["task_id"])
        assert (task["status"], task["attempt"]) == ("scheduled", 0)
        assert task["status_reason"] == "rate limited upstream"
        queue.rows("update pgqueue_private.delayed set run_at = pgqueue.clock()")
        assert queue.promote()["moved"] == 1
        (lease,) = queue.claim(worker)
        assert lease["attempt"] == 1
    queue.finish(lease, "failed")
    assert queue.status(lease["task_id"]) == "failed"


def test_a_snooze_may_name_its_time(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    queue.finish(lease, "snoozed", run_at="2100-01-01T00:00:00Z")
    assert queue.task(lease["task_id"])["run_at"].year in (2099, 2100)


def test_a_release_gives_the_attempt_back_at_once(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker, max_attempts=1)
    queue.finish(lease, "released", reason="worker stops")
    task = queue.task(lease["task_id"])
    assert (task["status"], task["attempt"], task["status_reason"]) == ("queued", 0, "worker stops")
    (again,) = queue.claim(worker)
    assert (again["task_id"], again["attempt"]) == (lease["task_id"], 1)


def test_a_release_with_a_delay_is_queued_and_waits(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker)
    queue.finish(lease, "released", delay_s=5, reason="no such type here")
    assert queue.status(lease["task_id"]) == "queued"
    assert queue.claimed(worker) == []
    queue.shift_clock(6)
    assert queue.promote()["moved"] == 1
    assert queue.claimed(queue.worker()) == [lease["task_id"]]


def test_a_crash_is_charged_apart_from_the_attempts_and_the_third_is_final(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker, max_attempts=1)
    for crashes in (1, 2):
        assert queue.finish(lease, "crashed", reason="it died", delay_s=30) == []
        task = queue.task(lease["task_id"])
        assert (task["status"], task["status_reason"]) == ("queued", "it died")
        assert task["crash_count"] == crashes
        (lease,) = queue.claim(worker)
        assert lease["attempt"] == crashes + 1
    assert queue.finish(lease, "crashed") == []
    task = queue.task(lease["task_id"])
    assert (task["status"], task["crash_count"]) == ("failed", 3)
    assert [a["outcome"] for a in queue.attempts(lease["task_id"])] == ["crashed"] * 3
    assert queue.broken_rules() == []


def test_a_crash_of_a_task_whose_cancel_was_asked_ends_it_as_cancelled(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    queue.cancel(lease["task_id"])
    assert queue.finish(lease, "crashed") == []
    assert queue.status(lease["task_id"]) == "cancelled"


def test_a_worker_that_lost_its_lease_cannot_finish_the_task(queue: Queue) -> None:
    worker = queue.worker()
    stale = queue.start(worker)
    queue.rescue(worker)
    assert queue.finish(stale, result="stale") == [stale["lease_id"]]
    (fresh,) = queue.claim(queue.worker())
    assert fresh["task_id"] == stale["task_id"]
    for outcome in ("completed", "failed", "released", "snoozed", "cancelled"):
        assert queue.finish(stale, outcome, result="stale") == [stale["lease_id"]]
        assert queue.status(stale["task_id"]) == "active"
    assert queue.finish(fresh, result="fresh") == []
    assert queue.finish(stale, result="stale") == [stale["lease_id"]]
    assert queue.task(stale["task_id"])["result"] == "fresh"


def test_a_worker_that_lost_its_lease_cannot_complete_the_task_the_short_way(queue: Queue) -> None:
    worker = queue.worker()
    stale, kept = queue.start(worker), queue.start(queue.worker())
    queue.rescue(worker)
    (fresh,) = queue.claim(queue.worker())
    assert queue.complete(stale, kept) == [stale["lease_id"]]
    assert queue.status(stale["task_id"]) == "active"
    assert queue.status(kept["task_id"]) == "completed"
    assert queue.complete(fresh) == []
    assert queue.complete(stale) == [stale["lease_id"]]


def test_a_lease_finishes_once(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    assert queue.finish(lease, result=1) == []
    assert queue.finish(lease, result=2) == [lease["lease_id"]]
    assert queue.task(lease["task_id"])["result"] == 1
    assert len(queue.attempts(lease["task_id"])) == 1


def test_a_lease_that_never_was_is_refused(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    id = queue.enqueue()
    assert queue.finish({"task_id": id, "lease_id": 1_000}) == [1_000]
    assert queue.finish({**lease, "task_id": id}) == [lease["lease_id"]]
    assert queue.finish({**lease, "lease_id": lease["lease_id"] + 7}) == [lease["lease_id"] + 7]
    assert queue.status(lease["task_id"]) == "active"
    assert queue.status(id) == "queued"


def test_a_flush_takes_the_good_and_names_the_refused(queue: Queue) -> None:
    worker = queue.worker()
    ids = queue.enqueue_many(*[{"type": "t"}] * 6)
    leases = queue.claim(worker)
    queue.finish(leases[2])
    outcomes = ["completed", "failed", "completed", "released", "snoozed", "cancelled"]
    refused = queue.finish_many(
        *[
            {"task_id": lease["task_id"], "lease_id": lease["lease_id"], "outcome": outcome}
            for lease, outcome in zip(leases, outcomes, strict=True)
        ]
    )
    assert refused == [leases[2]["lease_id"]]
    assert [queue.status(id) for id in ids] == [
        "completed", "retrying", "completed", "queued", "scheduled", "cancelled",
    ]  # fmt: skip


def test_an_empty_flush_is_fine(queue: Queue) -> None:
    assert queue.finish_many() == []


def test_a_flush_tells_whether_someone_watches(queue: Queue) -> None:
    assert queue.value("select watched from pgqueue_private.finish('[]')") is False
    queue.rows("select pgqueue_private.listen('me', 'pgqueue_event', 30)")
    assert queue.value("select watched from pgqueue_private.finish('[]')") is True


def test_a_finish_whose_row_a_cancel_moves_meanwhile_still_ends_the_task_as_cancelled(
    queue: Queue,
) -> None:
    worker = queue.worker()
    leases = [queue.start(worker) for _ in range(3)]
    with queue.holding() as other:
        assert other.cancel(leases[1]["task_id"]) == "active"
        late = queue.blocked(
            lambda q: q.finish_many(*[{**_of(lease), "outcome": "completed"} for lease in leases])
        )
    assert late.result(45) == []
    assert [queue.status(lease["task_id"]) for lease in leases] == [
        "completed", "cancelled", "completed",
    ]  # fmt: skip


def test_a_finish_whose_row_a_progress_report_moves_meanwhile_still_counts(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    with queue.holding() as other:
        assert other.progress({**_of(lease), "percent": 40}) == []
        late = queue.blocked(lambda q: q.finish(lease, result=1))
    assert late.result(45) == []
    task = queue.task(lease["task_id"])
    assert (task["status"], task["result"], task["progress"]["percent"]) == ("completed", 1, 40)


def test_a_rescue_that_comes_first_makes_the_finish_refused(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker)
    with queue.holding() as other:
        assert other.rescue(worker) == 1
        late = queue.blocked(lambda q: q.finish(lease))
    assert late.result(45) == [lease["lease_id"]]
    assert queue.status(lease["task_id"]) == "queued"


def test_a_finish_that_comes_first_leaves_nothing_to_rescue(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker)
    with queue.holding() as other:
        assert other.finish(lease) == []
        assert queue.rescue(worker) == 0
    assert queue.rescue(worker) == 0
    assert queue.status(lease["task_id"]) == "completed"


def test_two_finishes_at_once_count_once(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    with queue.holding() as other:
        assert other.finish(lease, result="first") == []
        late = queue.blocked(lambda q: q.finish(lease, result="second"))
    assert late.result(45) == [lease["lease_id"]]
    assert queue.task(lease["task_id"])["result"] == "first"


def test_delays_count_from_the_databases_clock(queue: Queue) -> None:
    queue.shift_clock(3600)
    lease = queue.start(queue.worker())
    queue.finish(lease, "failed", delay_s=10)
    row = queue.row(
        """select d.run_at - a.finished_at as delay
           from pgqueue_private.delayed as d join pgqueue_private.attempt as a using (task_id)"""
    )
    assert row["delay"] == timedelta(seconds=10)


def _of(lease: dict) -> dict:
    return {"task_id": lease["task_id"], "lease_id": lease["lease_id"]}
