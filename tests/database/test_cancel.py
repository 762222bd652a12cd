"""Cancel: in every status, and racing with everything that moves a token."""

import psycopg

from tests.database.queue import Queue


def test_a_queued_task_is_cancelled_at_once(queue: Queue) -> None:
    id = queue.enqueue()
    assert queue.cancel(id, "not needed") == "cancelled"
    task = queue.task(id)
    assert (task["status"], task["status_reason"]) == ("cancelled", "not needed")
    assert (task["attempt"], task["started_at"]) == (0, None)
    assert task["finished_at"] is not None
    assert queue.claimed(queue.worker()) == []
    assert queue.rows("select * from pgqueue.attempts") == []


def test_a_scheduled_task_is_cancelled_at_once(queue: Queue) -> None:
    (id,) = queue.enqueue_many({"type": "t", "delay_s": 60})
    assert queue.cancel(id) == "cancelled"
    assert queue.task(id)["status_reason"] == "cancelled before it started"
    queue.shift_clock(61)
    assert queue.promote()["moved"] == 0


def test_a_retrying_task_is_cancelled_at_once(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    queue.finish(lease, "failed", delay_s=9)
    assert queue.cancel(lease["task_id"]) == "cancelled"
    assert queue.status(lease["task_id"]) == "cancelled"


def test_a_requeued_task_is_cancelled_at_once(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    queue.finish(lease, "released")
    assert queue.cancel(lease["task_id"]) == "cancelled"
    assert queue.count("ready") == 0


def test_an_active_task_is_asked_to_stop_and_its_next_finish_cancels_it(queue: Queue) -> None:
    worker = queue.worker()
    for outcome in ("completed", "failed", "released", "snoozed"):
        lease = queue.start(worker)
        id = lease["task_id"]
        assert queue.cancel(id) == "active"
        assert queue.task(id)["status_reason"] == "cancel requested"
        beat = queue.heartbeat(worker)
        assert beat["cancels"] == [
            {"worker_id": worker, "task_id": id, "lease_id": lease["lease_id"]}
        ]
        assert queue.finish(lease, outcome, result=1) == []
        task = queue.task(id)
        assert (task["status"], task["result"]) == ("cancelled", None)
        assert queue.heartbeat(worker)["cancels"] == []


def test_a_cancelled_task_of_a_dead_worker_is_not_run_again(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker)
    queue.cancel(lease["task_id"])
    assert queue.rescue(worker) == 1
    assert queue.status(lease["task_id"]) == "cancelled"


def test_an_ended_task_stays_what_it_is(queue: Queue) -> None:
    worker = queue.worker()
    done, failed, cancelled = (queue.start(worker) for _ in range(3))
    queue.finish(done, result=1)
    queue.finish(failed, "failed", retry=False)
    queue.finish(cancelled, "cancelled")
    assert queue.cancel(done["task_id"]) == "completed"
    assert queue.cancel(failed["task_id"]) == "failed"
    assert queue.cancel(cancelled["task_id"]) == "cancelled"
    assert queue.task(done["task_id"])["result"] == 1
    assert queue.count("attempt") == 3


def test_an_unknown_task_cannot_be_cancelled(queue: Queue) -> None:
    assert queue.cancel("00000000-0000-7000-8000-000000000000") is None


def test_a_cancel_waits_for_a_claim_and_then_asks_the_worker_to_stop(queue: Queue) -> None:
    id = queue.enqueue()
    worker = queue.worker()
    with queue.holding() as other:
        assert other.claimed(worker) == [id]
        late = queue.blocked(lambda q: q.cancel(id))
    assert late.result(45) == "active"
    assert queue.value("select cancel_requested from pgqueue_private.running") is True


def test_a_claim_passes_over_a_task_that_is_being_cancelled(queue: Queue) -> None:
    id, next_id = queue.enqueue_many({"type": "t"}, {"type": "t"})
    worker = queue.worker()
    with queue.holding() as other:
        assert other.cancel(id) == "cancelled"
        assert queue.claimed(worker, 1) == [next_id]
    assert queue.claimed(worker) == []


def test_a_claim_rolled_back_leaves_the_task_to_the_cancel_that_waited(queue: Queue) -> None:
    id = queue.enqueue()
    worker = queue.worker()
    with queue.holding() as other:
        other.claimed(worker)
        late = queue.blocked(lambda q: q.cancel(id))
        raise psycopg.Rollback
    assert late.result(45) == "cancelled"


def test_a_cancel_follows_a_task_that_is_being_promoted(queue: Queue) -> None:
    (id,) = queue.enqueue_many({"type": "t", "delay_s": 60})
    queue.shift_clock(61)
    with queue.holding() as other:
        assert other.promote()["moved"] == 1
        late = queue.blocked(lambda q: q.cancel(id))
    assert late.result(45) == "cancelled"
    assert queue.count("ready") == queue.count("delayed") == 0


def test_a_promotion_passes_over_a_task_that_is_being_cancelled(queue: Queue) -> None:
    (id,) = queue.enqueue_many({"type": "t", "delay_s": 60})
    queue.shift_clock(61)
    with queue.holding() as other:
        assert other.cancel(id) == "cancelled"
        assert queue.promote()["moved"] == 0
    assert queue.promote()["moved"] == 0


def test_a_cancel_that_waits_for_a_finish_finds_the_task_ended(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    with queue.holding() as other:
        assert other.finish(lease) == []
        late = queue.blocked(lambda q: q.cancel(lease["task_id"]))
    assert late.result(45) == "completed"
    assert queue.status(lease["task_id"]) == "completed"


def test_a_cancel_follows_a_task_whose_attempt_fails_meanwhile(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    with queue.holding() as other:
        assert other.finish(lease, "failed", delay_s=30) == []
        late = queue.blocked(lambda q: q.cancel(lease["task_id"]))
    assert late.result(45) == "cancelled"
    assert queue.count("delayed") == 0


def test_a_cancel_follows_a_task_that_is_being_rescued(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker)
    with queue.holding() as other:
        assert other.rescue(worker) == 1
        late = queue.blocked(lambda q: q.cancel(lease["task_id"]))
    assert late.result(45) == "cancelled"
    assert queue.count("ready") == 0


def test_two_cancels_at_once_cancel_once(queue: Queue) -> None:
    id = queue.enqueue()
    with queue.holding() as other:
        assert other.cancel(id) == "cancelled"
        late = queue.blocked(lambda q: q.cancel(id))
    assert late.result(45) == "cancelled"
    assert len(queue.attempts(id)) == 1


def test_a_cancel_in_a_transaction_that_rolls_back_never_was(queue: Queue) -> None:
    id = queue.enqueue()
    with queue.holding() as other:
        other.cancel(id)
        raise psycopg.Rollback
    assert queue.claimed(queue.worker()) == [id]
