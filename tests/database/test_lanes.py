"""What a worker reads of its queues: no more than what holds tasks, and of others' a part."""

import pytest

from tests.database.queue import Queue


def lanes(queue: Queue, *queues: str, after: str | None = None, most: int = 100) -> list[tuple]:
    rows = queue.rows(
        "select * from pgqueue_private.runnable_lanes(%s::text[], %s, %s)",
        *(list(queues) or None, after, most),
    )
    return [(row["queue"], row["priority"]) for row in rows]


def read(queue: Queue, position: int = 0, max_rows: int = 100) -> tuple:
    row = queue.row(
        "select * from pgqueue_private.read_lanes('{default}', '{5}', %s, '{ours}', %s)",
        *([position], max_rows),
    )
    return row["own"], row["passed"], row["ended"]


def seqs(queue: Queue) -> list[int]:
    return queue.values("select seq from pgqueue_private.ready order by seq")


def test_queues_that_hold_tasks_are_named_with_their_priorities(queue: Queue) -> None:
    for name, priority in (("a", 3), ("a", 7), ("b", 0), ("c", 5)):
        queue.enqueue(queue=name, priority=priority)
    assert lanes(queue) == [("a", 3), ("a", 7), ("b", 0), ("c", 5)]
    assert lanes(queue, after="a", most=1) == [("b", 0)]
    assert lanes(queue, "c", "a", "nothing") == [("c", 5), ("a", 3), ("a", 7)]


def test_a_lane_is_read_up_to_the_first_task_of_ours(queue: Queue) -> None:
    queue.enqueue_many(*[{"type": "theirs"}] * 5, {"type": "ours"}, {"type": "theirs"})
    known = seqs(queue)
    assert read(queue) == (known[5], known[5] - 1, False)
    assert read(queue, max_rows=3) == (None, known[2], False)
    assert read(queue, position=known[5]) == (None, known[6], True)
    assert read(queue, position=known[6]) == (None, known[6], True)


def test_a_claim_takes_its_types_only(queue: Queue) -> None:
    queue.enqueue_many(*[{"type": "theirs"}] * 5)
    ours = queue.enqueue_many(*[{"type": "ours"}] * 3)
    claim = "select task_id::text from pgqueue_private.claim(%s, '{default}', null, 10, '{ours}')"
    assert sorted(queue.values(claim, queue.worker())) == ours
    assert queue.values("select distinct type from pgqueue_private.ready") == ["theirs"]


@pytest.mark.parametrize(
    "settings", ['{"concurrency": 9}', '{"fairness": {}}', '{"per_key": {"concurrency": 2}}']
)
def test_a_claim_within_limits_takes_its_types_only(queue: Queue, settings: str) -> None:
    queue.rows("select pgqueue.patch_queue('default', %s)", settings)
    for n in range(30):
        queue.enqueue("theirs", fairness_key=str(n % 3), limit_key=str(n % 3))
    ours = [queue.enqueue("ours", fairness_key=f"k{n}", limit_key=f"k{n}") for n in range(3)]
    claim = """
        select task_id::text from pgqueue_private.claim_limited(%s, 'default', 5, null, '{ours}')
        where task_id is not null
    """
    assert sorted(queue.values(claim, queue.worker())) == ours


def test_the_queue_of_a_retry_keeps_its_type(queue: Queue) -> None:
    lease = queue.start(queue.worker(), type="ours")
    queue.finish(lease, "failed")
    queue.promote()
    assert queue.values("select type from pgqueue_private.ready") == ["ours"]


def test_a_queue_that_held_nothing_for_a_day_is_forgotten(queue: Queue) -> None:
    sample = "select pgqueue_private.sample_queues()"
    names = "select name from pgqueue.queues order by name"
    queue.rows("select pgqueue.set_queue('set', concurrency => 3)")
    lease = queue.start(queue.worker(1e6, queues=("used",)), queue="used")
    queue.enqueue(queue="waiting")
    queue.rows(sample)
    queue.finish(lease)
    queue.rows(sample)
    queue.shift_clock(3600)
    queue.rows(sample)
    queue.rows("select pgqueue_private.prune()")
    assert queue.values(names) == ["set", "used", "waiting"]
    queue.shift_clock(25 * 3600)
    queue.rows(sample)
    queue.rows("select pgqueue_private.prune()")
    assert queue.values(names) == ["set", "waiting"]
    queue.enqueue(queue="used")
    queue.rows(sample)
    assert queue.values(names) == ["set", "used", "waiting"]


def test_a_queue_that_holds_nothing_is_not_written_to(queue: Queue) -> None:
    sample = "select pgqueue_private.sample_queues()"
    lease = queue.start(queue.worker(1e6))
    queue.rows(sample)
    queue.finish(lease)
    queue.rows(sample)
    at = "select ctid::text from pgqueue_private.queue_sample where queue = 'default'"
    before = queue.values(at)
    queue.rows(sample)
    assert queue.values(at) == before
    assert queue.row("select active, sampled_at is not null as known from pgqueue.queues") == {
        "active": 0,
        "known": True,
    }


def test_metrics_name_some_queues_and_sum_up_the_others(queue: Queue) -> None:
    queue.enqueue_many(
        *[{"type": "t", "queue": "long"}] * 5,
        *[{"type": "t", "queue": f"q{n}"} for n in range(300)],
    )
    queue.rows("select pgqueue_private.sample_queues()")
    shown = queue.rows("select queue, n from pgqueue_private.sampled_queues()")
    assert len(shown) == 201
    assert {"queue": "long", "n": 5} in shown
    assert {"queue": "(others)", "n": 101} in shown


def test_types_that_no_live_worker_has_are_counted(queue: Queue) -> None:
    sample = "select pgqueue_private.sample_queues()"
    counted = "select queue, type, n from pgqueue_private.unhandled order by queue, type"
    register = "select pgqueue_private.register_worker('s', 'h', 7, '1', '{a}', '{known}', 1, 60)"
    queue.enqueue_many(
        *[{"type": "unknown", "queue": "a"}] * 3,
        {"type": "known", "queue": "a"},
        {"type": "known", "queue": "b"},
    )
    queue.rows(register)
    queue.rows(sample)
    assert queue.rows(counted) == [
        {"queue": "a", "type": "unknown", "n": 3},
        {"queue": "b", "type": "known", "n": 1},
    ]
    queue.rows(register.replace("{a}", "{}").replace("{known}", "{unknown,known}"))
    queue.rows(sample)
    assert queue.rows(counted) == []
