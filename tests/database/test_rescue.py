"""Rescue and heartbeat: who decides whether a worker still holds its leases."""

import psycopg
import pytest

from tests.database.queue import Queue


def test_the_task_of_a_worker_whose_lease_ran_out_runs_again(queue: Queue) -> None:
    worker = queue.worker(lease_s=15)
    lease = queue.start(worker)
    queue.shift_clock(14)
    assert queue.rescue() == 0
    queue.shift_clock(16)
    row = queue.row("select * from pgqueue_private.rescue()")
    assert (row["rescued"], row["queues"]) == (1, ["default"])
    assert [str(id) for id in row["task_ids"]] == [lease["task_id"]]
    task = queue.task(lease["task_id"])
    assert (task["status"], task["crash_count"]) == ("queued", 1)
    assert f"worker {worker} died or lost its lease" in task["status_reason"]
    assert queue.value("select state from pgqueue.workers where id = %s", worker) == "lost"
    (again,) = queue.claim(queue.worker())
    assert again["lease_id"] > lease["lease_id"]


def test_the_tasks_of_a_worker_seen_dead_run_again_at_once(queue: Queue) -> None:
    dead, alive = queue.worker(), queue.worker()
    lost, kept = queue.start(dead), queue.start(alive)
    assert queue.rescue(dead) == 1
    assert queue.status(lost["task_id"]) == "queued"
    assert queue.status(kept["task_id"]) == "active"
    (attempt,) = queue.attempts(lost["task_id"])
    assert (attempt["outcome"], attempt["final"], attempt["worker_id"]) == ("crashed", False, dead)
    assert attempt["error"]["type"] == "Crashed"


def test_a_task_that_crashes_its_worker_three_times_fails(queue: Queue) -> None:
    id = queue.enqueue()
    for crash in range(1, 4):
        worker = queue.worker()
        (lease,) = queue.claim(worker)
        assert lease["task_id"] == id
        queue.rescue(worker)
        assert queue.task(id)["status"] == ("queued" if crash < 3 else "failed")
    assert queue.task(id)["error"]["type"] == "Crashed"
    assert [a["outcome"] for a in queue.attempts(id)] == ["crashed"] * 3
    assert queue.claimed(queue.worker()) == []


def test_a_crash_does_not_use_up_an_attempt(queue: Queue) -> None:
    id = queue.enqueue(max_attempts=2)
    outcomes = []
    for outcome in ("crashed", "failed", "crashed", "failed"):
        assert queue.status(id) == "queued"
        worker = queue.worker()
        (lease,) = queue.claim(worker)
        if outcome == "crashed":
            queue.rescue(worker)
        else:
            queue.finish(lease, outcome)
            queue.promote()
        outcomes.append(queue.status(id))
    assert outcomes == ["queued", "queued", "queued", "failed"]


def test_a_start_counts_although_its_worker_died_and_told_nobody(queue: Queue) -> None:
    id = queue.enqueue()
    for starts in (1, 2):
        worker = queue.worker()
        (lease,) = queue.claim(worker)
        assert lease["attempt"] == starts
        queue.rescue(worker)
        assert queue.task(id)["attempt"] == starts
    assert [a["attempt"] for a in queue.attempts(id)] == [1, 2]


@pytest.mark.usefixtures("running_clock")  # as for claims: see test_claim.py
def test_a_heartbeat_renews_the_leases(queue: Queue) -> None:
    worker = queue.worker(lease_s=15)
    queue.start(worker)
    for elapsed in (10, 20, 30):
        queue.shift_clock(elapsed)
        assert queue.heartbeat(worker)["active"] == [worker]
        assert queue.rescue() == 0


def test_a_heartbeat_that_comes_first_keeps_its_worker(queue: Queue) -> None:
    worker = queue.worker(lease_s=15)
    lease = queue.start(worker)
    queue.shift_clock(16)
    with queue.holding() as other:
        assert other.heartbeat(worker)["active"] == [worker]
        late = queue.blocked(lambda q: q.rescue())
    assert late.result(45) == 0
    assert queue.status(lease["task_id"]) == "active"
    assert queue.finish(lease) == []


def test_a_heartbeat_that_comes_later_is_told_that_the_worker_is_lost(queue: Queue) -> None:
    worker, other_worker = queue.worker(lease_s=15), queue.worker(lease_s=60)
    lease = queue.start(worker)
    queue.shift_clock(16)
    with queue.holding() as other:
        assert other.rescue() == 1
        late = queue.blocked(lambda q: q.heartbeat(worker, other_worker))
    assert late.result(45)["active"] == [other_worker]
    assert queue.heartbeat(worker)["active"] == []
    assert queue.finish(lease) == [lease["lease_id"]]


def test_the_orphan_of_a_claim_that_raced_with_the_rescue_is_found_by_the_next(
    queue: Queue,
) -> None:
    worker = queue.worker()
    id = queue.enqueue()
    with queue.holding() as other:
        assert other.claimed(worker) == [id]  # the worker was active when it asked
        assert queue.rescue(worker) == 0  # its claim is not to be seen yet
    assert queue.status(id) == "active"
    assert queue.rescue() == 1
    assert queue.status(id) == "queued"


def test_a_task_that_went_on_elsewhere_while_a_rescue_waited_is_left_alone(queue: Queue) -> None:
    dead, alive = queue.worker(), queue.worker()
    lease = queue.start(dead)
    with queue.holding() as other:
        other.heartbeat(dead)
        late = queue.blocked(lambda q: q.rescue(dead))
        assert queue.finish(lease, "released") == []
        (fresh,) = queue.claim(alive)
        assert fresh["task_id"] == lease["task_id"]
    assert late.result(45) == 0
    assert queue.finish(fresh) == []


def test_rescuers_at_once_rescue_each_task_once(queue: Queue) -> None:
    worker = queue.worker()
    ids = queue.enqueue_many(*[{"type": "t"}] * 50)
    queue.claim(worker)
    assert sum(queue.at_once(6, lambda q: q.rescue(worker))) == 50
    assert queue.count("attempt") == 50
    assert queue.claimed(queue.worker()) == sorted(ids)


def test_a_rescue_does_not_wait_for_a_finish(queue: Queue) -> None:
    worker = queue.worker()
    busy, idle = queue.start(worker), queue.start(worker)
    with queue.holding() as other:
        other.finish(busy)
        with queue.waiting_for_nobody():
            assert queue.rescue(worker) == 1
    assert queue.status(busy["task_id"]) == "completed"
    assert queue.status(idle["task_id"]) == "queued"


def test_a_rescue_that_rolls_back_leaves_the_lease(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker)
    with queue.holding() as other:
        other.rescue(worker)
        raise psycopg.Rollback
    assert queue.finish(lease) == []


def test_a_draining_worker_keeps_its_leases_and_a_stopped_one_does_not(queue: Queue) -> None:
    draining, stopped = queue.worker(), queue.worker()
    kept, lost = queue.start(draining), queue.start(stopped)
    queue.rows("select pgqueue_private.set_worker_state(%s, 'draining')", draining)
    queue.rows("select pgqueue_private.set_worker_state(%s, 'stopped')", stopped)
    assert queue.heartbeat(draining, stopped)["active"] == [draining]
    assert queue.rescue() == 1
    assert queue.status(lost["task_id"]) == "queued"
    assert queue.finish(kept) == []


def test_a_lost_worker_stays_lost(queue: Queue) -> None:
    worker = queue.worker()
    queue.rescue(worker)
    queue.rows("select pgqueue_private.set_worker_state(%s, 'draining')", worker)
    assert queue.value("select state from pgqueue_private.worker where id = %s", worker) == "lost"


def test_a_heartbeat_names_the_cancels_of_its_workers_only(queue: Queue) -> None:
    mine, theirs = queue.worker(), queue.worker()
    lease, other = queue.start(mine), queue.start(theirs)
    queue.cancel(lease["task_id"])
    queue.cancel(other["task_id"])
    cancels = queue.heartbeat(mine)["cancels"]
    assert [c["lease_id"] for c in cancels] == [lease["lease_id"]]
    assert queue.heartbeat()["cancels"] == []
