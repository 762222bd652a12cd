"""Claim: in order, never the same task twice, never more locked than was asked for."""

import psycopg
import pytest

from tests.database.queue import Queue


def test_a_claim_leases_by_priority_then_by_age(queue: Queue) -> None:
    low, first, high, second = queue.enqueue_many(
        {"type": "t", "priority": 8},
        {"type": "t"},
        {"type": "t", "priority": 2},
        {"type": "t"},
    )
    worker = queue.worker()
    order = [queue.claimed(worker, 1)[0] for _ in range(4)]
    assert order == [high, first, second, low]


def test_a_claim_takes_at_most_what_it_asks_for(queue: Queue) -> None:
    ids = queue.enqueue_many(*[{"type": "t", "priority": n % 3} for n in range(30)])
    worker = queue.worker()
    assert len(queue.claimed(worker, 7)) == 7
    assert queue.count("running") == 7
    assert queue.count("ready") == 23
    assert queue.claimed(worker, 0) == []
    assert len(queue.claimed(worker, 100)) == 23
    assert queue.claimed(worker, 100) == []
    assert {str(id) for id in queue.values("select task_id from pgqueue_private.running")} == set(
        ids
    )


def test_a_claim_takes_only_from_the_queues_it_names(queue: Queue) -> None:
    a, _b, c = queue.enqueue_many(*[{"type": "t", "queue": name} for name in "abc"])
    assert set(queue.claimed(queue.worker(), queues=("a", "c"))) == {a, c}
    assert queue.claimed(queue.worker(), queues=("nobody",)) == []


def test_a_lease_says_all_that_running_the_task_needs(queue: Queue) -> None:
    worker = queue.worker()
    id = queue.enqueue("mail", payload='{"b": [1, 2]}', queue="q", priority=3, timeout_s=30)
    queue.shift_clock(10)
    (lease,) = queue.claim(worker, queues=("q",))
    assert lease["task_id"] == id
    assert (lease["type"], lease["queue"], lease["priority"]) == ("mail", "q", 3)
    assert (lease["attempt"], lease["budget"], lease["timeout_s"]) == (1, 3, 30)
    assert lease["payload"] == '{"b": [1, 2]}'
    assert 10 <= lease["wait_s"] < 60
    running = queue.row("select * from pgqueue_private.running")
    assert (running["deadline_at"] - running["started_at"]).total_seconds() == 30
    assert queue.status(id) == "active"


def test_lease_ids_grow_and_are_never_used_again(queue: Queue) -> None:
    worker = queue.worker()
    leases = []
    for _ in range(5):
        lease = queue.start(worker)
        leases.append(lease["lease_id"])
        queue.finish(lease, "released")
        leases += [again["lease_id"] for again in queue.claim(worker)]
        queue.rescue()
    assert leases == sorted(set(leases))


def test_a_second_claimer_gets_the_others_at_once(queue: Queue) -> None:
    ids = queue.enqueue_many(*[{"type": "t"}] * 100)
    mine, theirs = queue.worker(), queue.worker()
    with queue.holding() as other:
        first = other.claimed(mine, 10)
        with queue.waiting_for_nobody():
            second = queue.claimed(theirs, 10)
            assert (first, second) == (ids[:10], ids[10:20])
            # and nothing is locked that was not claimed
            assert len(queue.claimed(theirs, 100)) == 80


@pytest.mark.parametrize("spread", [1, 3, 11])
def test_a_claim_locks_no_row_past_its_limit(queue: Queue, spread: int) -> None:
    queue.enqueue_many(*[{"type": "t", "priority": n % spread} for n in range(60)])
    worker = queue.worker()
    with queue.holding() as other:
        assert len(other.claimed(worker, 7)) == 7
        free = queue.values("select task_id from pgqueue_private.ready for update skip locked")
        assert len(free) == 53


def test_claimers_at_once_share_out_the_tasks_and_none_gets_one_twice(queue: Queue) -> None:
    ids = queue.enqueue_many(*[{"type": "t"}] * 400)
    workers = iter([queue.worker() for _ in range(8)])

    def drain(session: Queue) -> list[str]:
        worker = next(workers)
        got: list[str] = []
        while batch := session.claimed(worker, 7):
            got += batch
        return got

    got = [id for batch in queue.at_once(8, drain) for id in batch]
    assert len(got) == 400
    assert set(got) == set(ids)


def test_a_claim_looks_above_its_cursor_only_and_the_sweep_finds_the_rest(queue: Queue) -> None:
    worker = queue.worker()
    late = queue.session()
    with late.connection.transaction():
        behind = late.enqueue()  # takes its place in the order now, commits later
        ahead = queue.enqueue()
        (lease,) = queue.claim(worker)
        assert lease["task_id"] == ahead
        cursors = {("default", 5): lease["seq"]}
    assert queue.claimed(worker, cursors=cursors) == []
    assert queue.claimed(worker) == [behind]


def test_a_cursor_is_of_its_queue_and_priority(queue: Queue) -> None:
    a, b, c = queue.enqueue_many(
        {"type": "t", "queue": "a"},
        {"type": "t", "queue": "b"},
        {"type": "t", "queue": "a", "priority": 6},
    )
    worker = queue.worker()
    claimed = queue.claimed(worker, queues=("a", "b"), cursors={("a", 5): 10**9})
    assert set(claimed) == {b, c}
    assert queue.claimed(worker, queues=("a", "b")) == [a]


def test_a_draining_worker_is_given_nothing(queue: Queue) -> None:
    id = queue.enqueue()
    worker = queue.worker()
    queue.rows("select pgqueue_private.set_worker_state(%s, 'draining')", worker)
    assert queue.claimed(worker) == []
    assert queue.status(id) == "queued"


@pytest.mark.usefixtures("running_clock")  # else a claim by another clock is caught in the morning
@pytest.mark.parametrize("state", ["stopped", "lost", "unknown", "expired"])
def test_a_worker_that_is_not_active_claims_nothing(queue: Queue, state: str) -> None:
    id = queue.enqueue()
    worker = queue.worker()
    if state == "unknown":
        worker += 1000
    elif state == "expired":
        queue.shift_clock(16)
    elif state == "lost":
        queue.rescue(worker)
    else:
        queue.rows("select pgqueue_private.set_worker_state(%s, %s)", worker, state)
    with pytest.raises(psycopg.Error) as caught:
        queue.claim(worker)
    assert caught.value.sqlstate == "PQ001"
    assert queue.status(id) == "queued"


def test_a_claim_that_rolls_back_leaves_the_tasks_where_they_were(queue: Queue) -> None:
    ids = queue.enqueue_many(*[{"type": "t"}] * 5)
    worker = queue.worker()
    with queue.holding() as other:
        assert other.claimed(worker) == ids
        raise psycopg.Rollback
    assert queue.claimed(worker) == ids


def test_a_claim_tells_whether_someone_watches(queue: Queue) -> None:
    worker = queue.worker()
    assert queue.start(worker)["watched"] is False
    queue.rows("select pgqueue_private.listen('me', 'pgqueue_event', 30)")
    assert queue.start(worker)["watched"] is True
    queue.shift_clock(31)
    assert queue.start(queue.worker())["watched"] is False
