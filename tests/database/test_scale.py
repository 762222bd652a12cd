"""How many slots queues want, at any backlog."""

import pytest

from tests.database.queue import Queue


def scale(queue: Queue, *queues: str, patience_s: float = 1) -> dict:
    return queue.row("select * from pgqueue.scale(%s, %s)", list(queues) or None, patience_s)


def test_an_idle_queue_wants_nothing(queue: Queue) -> None:
    queue.worker()
    assert scale(queue, "default") == {
        "wanted": 0,
        "active": 0,
        "backlog": 0,
        "backlog_exact": True,
        "startable": 0,
        "wait_s": 0,
        "workers": 1,
        "slots": 10,
    }


def test_what_waits_wants_a_place_once_it_has_waited(queue: Queue) -> None:
    worker = queue.worker()
    queue.enqueue_many(*[{"type": "t"}] * 40)
    queue.claim(worker, 5)
    fresh = scale(queue, "default")
    assert (fresh["wanted"], fresh["active"], fresh["startable"]) == (10, 5, 35)
    queue.shift_clock(3)
    waited = scale(queue, "default")
    assert waited["wanted"] == 40
    assert 3 <= waited["wait_s"] < 10
    assert scale(queue, "default", patience_s=60)["wanted"] == 10


def test_where_no_worker_is_what_waits_wants_a_place_at_once(queue: Queue) -> None:
    queue.enqueue_many({"type": "t"}, {"type": "t"})
    assert scale(queue, "default")["wanted"] == 2


def test_what_is_due_counts_though_nobody_has_made_it_runnable(queue: Queue) -> None:
    queue.enqueue_many({"type": "t", "delay_s": 60})
    assert scale(queue, "default")["wanted"] == 0
    queue.shift_clock(70)
    due = scale(queue, "default")
    assert (due["wanted"], due["backlog"]) == (1, 1)
    assert 9 < due["wait_s"] < 20


def test_a_worker_that_claims_ahead_wants_no_more_than_its_places(queue: Queue) -> None:
    worker = queue.worker()
    queue.enqueue_many(*[{"type": "t"}] * 300)
    queue.claim(worker, 300)
    assert scale(queue, "default")["wanted"] == 10


def test_a_draining_or_dead_worker_has_no_places(queue: Queue) -> None:
    draining, _ = queue.worker(), queue.worker(lease_s=1)
    queue.enqueue_many(*[{"type": "t"}] * 3)
    queue.claim(draining, 2)
    queue.value("select pgqueue_private.set_worker_state(%s, 'draining')::text", draining)
    queue.shift_clock(5)
    now = scale(queue, "default")
    assert (now["wanted"], now["active"], now["workers"], now["slots"]) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("settings", "startable"),
    [
        ('{"concurrency": 4}', 2),
        ('{"concurrency": 2}', 0),
        ('{"rate": [{"count": 7, "per_seconds": 3600}]}', 7),
        ('{"paused": true}', 0),
    ],
)
def test_more_than_limits_let_start_is_not_wanted(
    queue: Queue, settings: str, startable: int
) -> None:
    worker = queue.worker()
    queue.enqueue_many(*[{"type": "t"}] * 20)
    queue.claim(worker, 2)
    queue.value("select pgqueue.patch_queue('default', %s)", settings)
    queue.shift_clock(3)
    now = scale(queue, "default")
    assert (now["startable"], now["wanted"], now["backlog"]) == (startable, 2 + startable, 18)
    assert (now["wait_s"] >= 3) is (startable > 0)


def test_other_queues_do_not_count_and_all_do_when_none_is_named(queue: Queue) -> None:
    queue.worker()
    queue.enqueue_many({"type": "t"}, {"type": "t", "queue": "other"}, {"type": "t", "queue": "o3"})
    queue.shift_clock(3)
    assert scale(queue, "default")["wanted"] == 1
    assert scale(queue, "default", "other")["wanted"] == 2
    assert scale(queue)["wanted"] == 3
    assert scale(queue, "other")["workers"] == 0


def test_a_long_backlog_is_counted_up_to_a_bound(queue: Queue) -> None:
    queue.enqueue_many(*[{"type": "t"}] * 10_500)
    long = scale(queue, "default")
    assert (long["backlog"], long["backlog_exact"]) == (10_000, False)
