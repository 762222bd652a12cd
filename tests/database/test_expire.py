"""Expiry: a task that has not started in time is cancelled, and never starts."""

from datetime import timedelta

import psycopg
import pytest

from tests.database.queue import Queue

REASON = "expired before it started"


def expire(queue: Queue) -> int:
    return queue.value("select pgqueue_private.expire(1000)")


def soon(queue: Queue, **options: object) -> str:
    (id,) = queue.enqueue_many({"type": "t", "expires_in_s": 10, **options})
    return id


@pytest.mark.parametrize("options", [{}, {"delay_s": 5}, {"delay_s": 3600}])
def test_a_task_that_has_not_started_in_time_is_cancelled_with_that_reason(
    queue: Queue, options: dict
) -> None:
    task = soon(queue, **options)
    assert expire(queue) == 0
    queue.shift_clock(6)
    queue.promote()
    assert expire(queue) == 0
    queue.shift_clock(11)
    assert expire(queue) == 1
    seen = queue.task(task)
    assert (seen["status"], seen["status_reason"]) == ("cancelled", REASON)
    assert queue.count("expiry") == 0
    assert queue.broken_rules() == []


def test_an_expired_task_that_nobody_cancelled_yet_is_not_to_be_run(queue: Queue) -> None:
    late, in_time = soon(queue), queue.enqueue()
    queue.shift_clock(11)
    leases = {lease["task_id"]: lease["expired"] for lease in queue.claim(queue.worker())}
    assert leases == {late: True, in_time: False}


def test_a_task_that_started_in_time_goes_on(queue: Queue) -> None:
    worker = queue.worker(lease_s=1e6)
    task = soon(queue)
    (lease,) = queue.claim(worker)
    assert lease["expired"] is False
    queue.shift_clock(11)
    assert expire(queue) == 1
    assert queue.status(task) == "active"
    assert queue.finish(lease, "failed", delay_s=0) == []
    assert expire(queue) == 0
    queue.promote()
    (again,) = queue.claim(worker)
    assert (again["task_id"], again["expired"]) == (task, False)


def test_a_task_that_waits_for_its_second_attempt_does_not_expire(queue: Queue) -> None:
    worker = queue.worker(lease_s=1e6)
    task = soon(queue)
    (lease,) = queue.claim(worker)
    queue.finish(lease, "failed", delay_s=3600)
    queue.shift_clock(11)
    assert expire(queue) == 1
    assert queue.status(task) == "retrying"


def test_an_expired_task_that_is_retried_by_hand_runs(queue: Queue) -> None:
    task = soon(queue, max_attempts=1)
    queue.shift_clock(11)
    expire(queue)
    assert queue.retry(task) == "queued"
    assert expire(queue) == 0
    (lease,) = queue.claim(queue.worker())
    assert lease["expired"] is False
    assert queue.broken_rules() == []


def test_a_time_that_is_given_absolutely_counts_as_it_is(queue: Queue) -> None:
    at = queue.value("select pgqueue.clock()") + timedelta(seconds=10)
    task = queue.enqueue(expires_at=at)
    assert queue.task(task)["expires_at"] == at
    queue.shift_clock(11)
    expire(queue)
    assert queue.status(task) == "cancelled"


@pytest.mark.parametrize("value", ["1900-01-01", "infinity", "10000-01-01"])
def test_a_time_out_of_range_is_refused(queue: Queue, value: object) -> None:
    with pytest.raises(psycopg.Error) as caught:
        queue.enqueue_many({"type": "t", "expires_at": str(value)})
    assert caught.value.sqlstate == "PQ004"


def test_two_that_expire_at_once_share_the_work(queue: Queue) -> None:
    for _ in range(20):
        soon(queue)
    queue.shift_clock(11)
    assert sum(queue.at_once(2, expire)) == 20
    assert queue.values("select distinct status from pgqueue.tasks") == ["cancelled"]
    assert queue.broken_rules() == []


def test_a_task_that_becomes_due_while_it_expires_is_cancelled_all_the_same(queue: Queue) -> None:
    task = soon(queue, delay_s=5)
    queue.shift_clock(11)
    with queue.holding() as other:
        assert other.promote()["moved"] == 1
        expiring = queue.blocked(expire)
    assert expiring.result(45) == 1
    assert queue.status(task) == "cancelled"
    assert queue.broken_rules() == []


def test_a_claim_that_comes_first_keeps_its_task(queue: Queue) -> None:
    worker = queue.worker()
    task = soon(queue)
    with queue.holding() as other:
        (lease,) = other.claim(worker)
        queue.shift_clock(11)
        expiring = queue.blocked(expire)
    assert expiring.result(45) == 1
    assert queue.status(task) == "active"
    assert queue.finish(lease) == []
    assert queue.broken_rules() == []
