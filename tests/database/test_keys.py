"""Limits of keys: by default for a queue and by name, beside the limits of the queue itself."""

from collections import Counter
from typing import Any

import orjson
import pytest

from tests.database.queue import Queue
from tests.database.test_dead_letters import drop_day_of
from tests.database.test_limits import claim, limit


def named(queue: Queue, name: str, **settings: Any) -> int:
    return queue.value("select pgqueue.patch_limit(%s, %s)", name, orjson.dumps(settings).decode())


def keyed(on: Queue, *keys: str | None, **options: Any) -> list[str]:
    """Enqueue a task for each key, in one call."""
    return on.enqueue_many(*[{"type": "t", "limit_key": key, **options} for key in keys])


def statuses(queue: Queue, **where: str) -> dict[str, int]:
    condition = " and ".join(f"{name} = %s" for name in where) or "true"
    rows = queue.rows(f"select status from pgqueue.tasks where {condition}", *where.values())
    return dict(Counter(row["status"] for row in rows))


def names(queue: Queue, leases: list[dict]) -> list[str]:
    ids = [lease["task_id"] for lease in leases]
    return queue.values(
        """select t.limit_key from unnest(%s::uuid[]) with ordinality as i (id, n)
           join pgqueue_private.task as t on t.id = i.id order by n""",
        ids,
    )


def test_each_key_has_its_own_places_beside_those_of_the_queue(queue: Queue) -> None:
    limit(queue, '{"concurrency": 5, "per_key": {"concurrency": 2}}')
    keyed(queue, *["a"] * 4, *["b"] * 4, None, None)
    worker = queue.worker()
    leases = claim(queue, worker)
    assert sorted(map(str, names(queue, leases))) == ["None", "a", "a", "b", "b"]
    assert statuses(queue) == {"active": 5, "queued": 1, "blocked": 4}
    for lease in leases:
        queue.finish(lease)
    assert sorted(map(str, names(queue, claim(queue, worker)))) == ["None", "a", "a", "b", "b"]


def test_a_limit_by_name_holds_over_all_queues_and_instead_of_the_default(queue: Queue) -> None:
    for name in ("one", "two"):
        limit(queue, '{"per_key": {"concurrency": 1}}', name)
    named(queue, "acme", concurrency=3)
    for name in ("one", "two"):
        keyed(queue, *["acme"] * 4, *["other"] * 2, queue=name)
    worker = queue.worker()
    first = claim(queue, worker, name="one")
    assert Counter(names(queue, first)) == {"acme": 3, "other": 1}
    second = claim(queue, worker, name="two")
    assert Counter(names(queue, second)) == {"other": 1}
    (held, *_) = [lease for lease in first if names(queue, [lease]) == ["acme"]]
    queue.finish(held)
    again = claim(queue, worker, name="one") + claim(queue, worker, name="two")
    assert names(queue, again) == ["acme"]


def test_a_limit_by_name_needs_no_limit_of_the_queue(queue: Queue) -> None:
    worker = queue.worker()
    keyed(queue, "acme", "acme", None)
    named(queue, "acme", concurrency=1)
    assert queue.claim(worker) == []
    assert len(claim(queue, worker)) == 2
    assert statuses(queue, limit_key="acme") == {"active": 1, "blocked": 1}
    (status,) = {
        row["status_reason"]
        for row in queue.rows("select * from pgqueue.tasks")
        if row["status"] == "blocked"
    }
    assert status == "waits for room under its limit_key acme"


def test_tasks_of_a_key_start_in_the_order_of_priority_and_seq(queue: Queue) -> None:
    limit(queue, '{"per_key": {"concurrency": 1}}')
    worker = queue.worker()
    (running,) = keyed(queue, "a")
    (lease,) = claim(queue, worker)
    low = keyed(queue, "a", priority=8)
    normal = keyed(queue, "a", "a")
    high = keyed(queue, "a", priority=0)
    order = []
    for _ in range(4):
        queue.finish(lease)
        (lease,) = claim(queue, worker)
        order.append(lease["task_id"])
    assert order == [*high, *normal, *low]
    assert lease["task_id"] != running


@pytest.mark.parametrize("how", ["completed", "failed", "released", "snoozed", "rescued", "plain"])
def test_the_next_of_a_key_becomes_runnable_however_an_attempt_ends(queue: Queue, how: str) -> None:
    limit(queue, '{"per_key": {"concurrency": 1}}')
    _, second = keyed(queue, "a", "a")
    worker, dead = queue.worker(), queue.worker()
    (lease,) = claim(queue, dead)
    assert queue.status(second) == "blocked"
    if how == "rescued":
        queue.rescue(dead)
    elif how == "plain":
        queue.complete(lease)
    else:
        queue.finish(lease, outcome=how, delay_s=100)
    assert queue.status(second) == "queued"
    assert len(claim(queue, worker)) == 1
    assert queue.finish(lease) == [lease["lease_id"]]
    assert claim(queue, worker) == []


def test_while_a_claim_is_open_another_gets_only_what_is_left_of_a_key(queue: Queue) -> None:
    named(queue, "acme", concurrency=3)
    keyed(queue, *["acme"] * 3, queue="one")
    keyed(queue, *["acme"] * 3, "other", queue="two")
    a, b = queue.session(), queue.session()
    worker = queue.worker()
    a.rows("begin")
    assert len(claim(a, worker, 2, name="one")) == 2
    assert names(queue, claim(b, worker, name="two")) == ["other"]
    a.rows("commit")
    assert names(queue, claim(b, worker, name="two")) == ["acme"]
    assert claim(b, worker, name="one") == []


@pytest.mark.usefixtures("running_clock")
def test_a_task_takes_as_much_of_a_limit_as_it_costs(queue: Queue) -> None:
    limit(queue, '{"concurrency": 10, "per_key": {"concurrency": 5}}')
    worker = queue.worker()
    ids = [queue.enqueue(limit_key="a", cost=cost) for cost in (3, 3, 2)]
    other = queue.enqueue(limit_key="b", cost=4)
    late = queue.enqueue(cost=4)
    leases = claim(queue, worker)
    assert [lease["task_id"] for lease in leases] == [ids[0], other]
    assert queue.status(ids[1]) == "blocked"
    assert queue.status(ids[2]) == "blocked"  # it would fit, and does not pass
    assert queue.status(late) == "queued"  # 7 of 10 are taken
    queue.finish(leases[0])
    assert [lease["task_id"] for lease in claim(queue, worker)] == [ids[1], ids[2]]
    queue.finish(leases[1])
    assert [lease["task_id"] for lease in claim(queue, worker)] == [late]


def test_a_task_that_costs_more_than_a_limit_runs_alone(queue: Queue) -> None:
    limit(queue, '{"concurrency": 3, "per_key": {"rate": [{"count": 4, "per_seconds": 10}]}}')
    worker = queue.worker(3600)
    small = queue.enqueue()
    big = queue.enqueue(cost=30000, limit_key="a")
    after = queue.enqueue(limit_key="a")
    (lease,) = claim(queue, worker)
    assert lease["task_id"] == small
    queue.finish(lease)
    (lease,) = claim(queue, worker)
    assert lease["task_id"] == big
    assert claim(queue, worker) == []
    queue.finish(lease)
    assert claim(queue, worker) == []
    queue.shift_clock(10.1)
    queue.promote()
    (lease,) = claim(queue, worker)
    assert lease["task_id"] == after


def test_a_task_that_costs_more_than_the_concurrency_starts_while_a_rate_counts_others(
    queue: Queue,
) -> None:
    limit(queue, '{"concurrency": 3, "rate": [{"count": 10, "per_seconds": 1000}]}')
    worker = queue.worker(3600)
    ids = [queue.enqueue(), queue.enqueue(cost=5), queue.enqueue(cost=5)]
    for id in ids[:2]:
        (lease,) = claim(queue, worker)
        assert lease["task_id"] == id
        queue.finish(lease)
    (row,) = queue.rows("select * from pgqueue_private.claim_limited(%s, 'default', 10)", worker)
    assert row["task_id"] is None  # 6 of 10 have started
    assert 900 < row["again_s"] <= 1000


def test_the_rate_of_a_key_lets_the_next_start_when_it_is_due(queue: Queue) -> None:
    limit(queue, '{"per_key": {"rate": [{"count": 2, "per_seconds": 10}]}}')
    worker = queue.worker(3600)
    keyed(queue, *["a"] * 5, "b")
    assert Counter(names(queue, claim(queue, worker))) == {"a": 2, "b": 1}
    assert 9 < queue.promote()["next_due_s"] <= 10
    queue.shift_clock(9.5)
    assert queue.promote()["moved"] == 0
    queue.shift_clock(10.1)
    assert queue.promote()["moved"] == 1  # the first, and when it starts the others follow
    assert names(queue, claim(queue, worker)) == ["a"]
    assert names(queue, claim(queue, worker)) == ["a"]
    assert claim(queue, worker) == []
    queue.shift_clock(20.3)
    queue.promote()
    assert names(queue, claim(queue, worker)) == ["a"]


def test_a_smooth_rate_spaces_its_starts(queue: Queue) -> None:
    limit(queue, '{"rate": [{"count": 6, "per_seconds": 6000, "smooth": true}]}')
    queue.enqueue_many(*[{"type": "t"}] * 10)
    worker = queue.worker(100_000)
    assert len(claim(queue, worker)) == 1
    (row,) = queue.rows("select * from pgqueue_private.claim_limited(%s, 'default', 10)", worker)
    assert 900 < row["again_s"] <= 1000
    for seconds in (1040, 2050, 3060):  # a start that came late lets the next be in time
        queue.shift_clock(seconds - 70)
        assert claim(queue, worker) == []
        queue.shift_clock(seconds)
        assert len(claim(queue, worker)) == 1
    queue.shift_clock(20_000)  # idle time earns nothing
    assert len(claim(queue, worker)) == 1
    assert claim(queue, worker) == []


@pytest.mark.parametrize("whole", ["queue", "named", "key"])
def test_a_handler_slows_its_limit_down(queue: Queue, whole: str) -> None:
    if whole == "named":
        named(queue, "a", concurrency=10)
    worker = queue.worker(3600)
    keyed(queue, "a", "a", "b")
    take = claim if whole == "named" else lambda queue, worker, n: queue.claim(worker, n)
    (lease,) = take(queue, worker, 1)
    slow = "queue" if whole == "queue" else "key"
    queue.finish(lease, outcome="failed", delay_s=30, slow=slow, reason="429")
    left = names(queue, claim(queue, worker))
    assert left == ([] if whole == "queue" else ["b"])
    reasons = queue.values(
        "select status_reason from pgqueue.tasks where status in ('queued', 'blocked')"
    )
    assert all("slowed" in reason and "429" in reason for reason in reasons)
    queue.shift_clock(29)
    queue.promote()
    assert claim(queue, worker) == []
    queue.shift_clock(30.1)
    queue.promote()
    assert "a" in names(queue, claim(queue, worker))
    queue.value("select pgqueue_private.prune()")
    queue.enqueue()
    assert len(take(queue, worker, 9)) == 1


def test_the_places_of_a_key_that_was_not_limited_count_when_it_is(queue: Queue) -> None:
    worker = queue.worker()
    keyed(queue, *["a"] * 5)
    leases = queue.claim(worker, 2)
    named(queue, "a", concurrency=3)
    assert len(claim(queue, worker)) == 1
    assert statuses(queue) == {"active": 3, "blocked": 2}
    queue.finish(leases[0])
    assert statuses(queue) == {"active": 2, "queued": 1, "blocked": 1, "completed": 1}


def test_a_limit_that_is_raised_or_deleted_lets_them_go(queue: Queue) -> None:
    worker = queue.worker()
    named(queue, "a", concurrency=1)
    keyed(queue, *["a"] * 10)
    assert len(claim(queue, worker)) == 1
    named(queue, "a", concurrency=3)
    assert len(claim(queue, worker)) == 2
    assert queue.value("select pgqueue.delete_limit('a')") is True
    assert queue.value("select pgqueue.delete_limit('a')") is False
    assert statuses(queue) == {"active": 3, "queued": 7}
    assert len(queue.claim(worker)) == 7


def test_the_net_finds_what_began_to_wait_in_the_moment_when_room_came_about(queue: Queue) -> None:
    limit(queue, '{"per_key": {"concurrency": 1}}')
    worker = queue.worker()
    keyed(queue, "a")
    (lease,) = claim(queue, worker)
    with queue.holding() as other:
        (late,) = keyed(other, "a")
        queue.finish(lease)
    assert queue.status(late) == "blocked"
    assert queue.row("select * from pgqueue_private.unblock_waiting()") == {
        "moved": 1,
        "queues": ["default"],
    }
    assert queue.status(late) == "queued"
    assert queue.value("select moved from pgqueue_private.unblock_waiting()") == 0
    assert len(claim(queue, worker)) == 1


def test_the_net_waits_for_nobody_who_has_the_next_of_a_key(queue: Queue) -> None:
    limit(queue, '{"per_key": {"rate": [{"count": 1, "per_seconds": 10}]}}')
    _, second, _ = keyed(queue, "a", "a", "a")
    claim(queue, queue.worker(3600))
    queue.cancel(second)
    assert queue.promote()["next_due_s"] is None  # the third has not been told when
    with queue.holding() as other:
        other.rows("select from pgqueue_private.delayed for update")
        with queue.waiting_for_nobody():
            assert queue.value("select moved from pgqueue_private.unblock_waiting()") == 0
        assert queue.promote()["next_due_s"] is None
    queue.value("select moved from pgqueue_private.unblock_waiting()")
    assert 9 < queue.promote()["next_due_s"] <= 10


def test_cancelling_what_waits_for_a_key_leaves_the_others_in_order(queue: Queue) -> None:
    limit(queue, '{"per_key": {"rate": [{"count": 1, "per_seconds": 10}]}}')
    worker = queue.worker(3600)
    _, second, third = keyed(queue, "a", "a", "a")
    claim(queue, worker)
    assert queue.cancel(second) == "cancelled"
    queue.shift_clock(10.1)
    queue.promote()
    queue.value("select moved from pgqueue_private.unblock_waiting()")
    assert [lease["task_id"] for lease in claim(queue, worker)] == [third]


@pytest.mark.parametrize("task", [{"limit_key": ""}, {"limit_key": "x" * 256}, {"cost": 0}])
def test_a_key_or_a_cost_that_cannot_be_is_refused(queue: Queue, task: dict) -> None:
    with pytest.raises(Exception, match="out of range"):
        queue.enqueue_many({"type": "t", **task})


@pytest.mark.parametrize(
    "per_key", ["{}", "[]", "3", '{"concurrency": 0}', '{"rate": []}', '{"most": 1}']
)
def test_what_is_no_limit_of_keys_is_refused(queue: Queue, per_key: str) -> None:
    with pytest.raises(Exception, match="must be a"):
        limit(queue, f'{{"per_key": {per_key}}}')


def pages(on: Queue, call: str) -> int:
    """Return how many pages a call reads."""
    (plan,) = on.row(
        f"explain (analyze, buffers, format json) select * from pgqueue_private.{call}"
    ).values()
    return plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]


@pytest.mark.usefixtures("running_clock")
def test_what_counts_is_counted_at_the_same_cost_under_a_held_snapshot(queue: Queue) -> None:
    limit(queue, '{"concurrency": 7, "rate": [{"count": 100000, "per_seconds": 1000}]}')
    named(queue, "a", concurrency=2)
    keyed(queue, *[None] * 600, *["a"] * 100)
    worker = queue.worker(3600)
    held = queue.session()
    held.rows("begin isolation level repeatable read")
    held.count("running")
    (long, *leases) = claim(queue, worker, 3)
    read = []
    for _ in range(2):
        for _ in range(40):
            for lease in leases:
                queue.finish(lease)
            leases = claim(queue, worker, 6)
        rate = '\'[{"count": 100000, "per_seconds": 1000}]\''
        read.append(
            [
                pages(queue, f"limit_room('default', '', 7, {rate}, null)"),
                pages(queue, "limit_room('', 'a', 2, null, null)"),
            ]
        )
    held.rows("rollback")
    # before 17 the leases are filtered from what the queue's index has, the dead included: it grows
    more = 4 if queue.connection.info.server_version >= 170000 else 16
    assert all(late <= early + more for early, late in zip(*read, strict=True)), read
    assert queue.finish(long) == []


def test_what_waits_for_a_key_costs_the_claims_of_others_nothing(queue: Queue) -> None:
    limit(queue, '{"concurrency": 500, "per_key": {"concurrency": 1}}')
    worker = queue.worker(3600)
    keyed(queue, "hog")
    claim(queue, worker)
    keyed(queue, *["other"] * 1, *[None] * 100)
    claim(queue, worker, 20)  # the plans are made
    alone = pages(queue, f"claim_limited({worker}, 'default', 20)")
    keyed(queue, *["hog"] * 5000)
    assert statuses(queue, status="blocked") == {"blocked": 5000}
    beside = pages(queue, f"claim_limited({worker}, 'default', 20)")
    assert beside <= alone * 1.2
    assert pages(queue, "unblock_waiting()") < 100  # by the key, not by the task
    assert claim(queue, worker, 20, name="none") == []


@pytest.mark.usefixtures("running_clock")
def test_a_key_that_is_limited_late_is_put_out_of_the_way_once(queue: Queue) -> None:
    worker = queue.worker(3600)
    keyed(queue, *["hog"] * 3000)
    last = queue.enqueue()
    named(queue, "hog", concurrency=1)
    leases = claim(queue, worker)
    assert names(queue, leases) == ["hog", None]
    assert leases[1]["task_id"] == last
    assert statuses(queue) == {"active": 2, "blocked": 2999}
    queue.finish(leases[0])
    assert len(claim(queue, worker)) == 1
    assert statuses(queue, limit_key="hog") == {"active": 1, "blocked": 2998, "completed": 1}


def test_a_letter_that_is_redriven_after_its_day_keeps_its_key_and_its_cost(queue: Queue) -> None:
    worker = queue.worker()
    (id,) = keyed(queue, "a", cost=3, max_attempts=1)
    (lease,) = queue.claim(worker)
    queue.finish(lease, outcome="failed")
    drop_day_of(queue, id)
    again = queue.value("select pgqueue.redrive(%s)::text", id)
    assert again != id
    task = queue.task(again)
    assert (task["limit_key"], task["cost"]) == ("a", 3)
    queue.rows("delete from pgqueue_private.rollup_flush")  # of a day that is gone
