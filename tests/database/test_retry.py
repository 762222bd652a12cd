"""Retry by hand."""

import psycopg
import pytest

from tests.database.queue import Queue


def test_a_failed_task_runs_again_with_as_many_attempts_as_it_had(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker, max_attempts=2)
    id = lease["task_id"]
    queue.finish(lease, "failed", retry=False)
    assert queue.retry(id) == "queued"
    task = queue.task(id)
    assert (task["status"], task["status_reason"]) == ("queued", "retried by hand")
    assert (task["attempt"], task["finished_at"], task["error"]) == (1, None, None)
    attempts = []
    while batch := queue.claim(worker):
        attempts.append(batch[0]["attempt"])
        queue.finish(batch[0], "failed")
        queue.promote()
    assert attempts == [2, 3]
    assert queue.status(id) == "failed"
    assert queue.retry(id) == "queued"


def test_a_task_cancelled_before_it_started_runs_after_a_retry(queue: Queue) -> None:
    id = queue.enqueue()
    queue.cancel(id)
    assert queue.retry(id) == "queued"
    (lease,) = queue.claim(queue.worker())
    assert (lease["attempt"], lease["budget"]) == (1, 3)
    queue.finish(lease, result="done")
    task = queue.task(id)
    assert (task["status"], task["result"], task["status_reason"]) == ("completed", "done", None)


def test_a_task_that_crashed_too_often_may_crash_as_often_again(queue: Queue) -> None:
    id = queue.enqueue()
    for _ in range(3):
        worker = queue.worker()
        assert queue.claimed(worker) == [id]
        queue.rescue(worker)
    assert queue.status(id) == "failed"
    queue.retry(id)
    worker = queue.worker()
    queue.claim(worker)
    queue.rescue(worker)
    assert queue.status(id) == "queued"


def test_a_retrying_task_runs_now_on_the_attempts_it_has_left(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker, max_attempts=2)
    queue.finish(lease, "failed", delay_s=3600)
    assert queue.retry(lease["task_id"]) == "queued"
    (again,) = queue.claim(worker)
    assert (again["attempt"], again["budget"]) == (2, 2)


@pytest.mark.parametrize("status", ["queued", "scheduled", "active", "completed"])
def test_a_task_in_another_status_cannot_be_retried(queue: Queue, status: str) -> None:
    worker = queue.worker()
    if status in ("active", "completed"):
        lease = queue.start(worker)
        id = lease["task_id"]
        if status == "completed":
            queue.finish(lease)
    else:
        (id,) = queue.enqueue_many({"type": "t", "delay_s": 60 if status == "scheduled" else None})
    with pytest.raises(psycopg.Error) as caught:
        queue.retry(id)
    assert caught.value.sqlstate == "PQ003"
    assert status in str(caught.value)
    assert queue.status(id) == status


def test_an_unknown_task_cannot_be_retried(queue: Queue) -> None:
    assert queue.retry("00000000-0000-7000-8000-000000000000") is None


def test_two_retries_at_once_make_one_run(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    queue.finish(lease, "failed", retry=False)
    with queue.holding() as other:
        assert other.retry(lease["task_id"]) == "queued"
        late = queue.blocked(lambda q: q.retry(lease["task_id"]))
    with pytest.raises(psycopg.Error) as caught:
        late.result(45)
    assert caught.value.sqlstate == "PQ003"
    assert queue.count("ready") == 1


def test_a_retry_of_a_task_that_is_being_promoted_leaves_one_token(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    queue.finish(lease, "failed", delay_s=5)
    queue.shift_clock(6)
    with queue.holding() as other:
        assert other.promote()["moved"] == 1
        late = queue.blocked(lambda q: q.retry(lease["task_id"]))
    assert late.exception(20).sqlstate == "PQ003"
    assert queue.count("ready") == 1
