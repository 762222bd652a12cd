"""Roll-ups: every end of an attempt is counted once, folded or not."""

import pytest

from tests.database.queue import Queue


def _totals(queue: Queue) -> dict[tuple[str, bool], int]:
    rows = queue.rows(
        "select outcome, final, sum(n)::int as n from pgqueue_private.rollup "
        "group by outcome, final"
    )
    return {(row["outcome"], row["final"]): row["n"] for row in rows}


def _run(queue: Queue, worker: int, outcome: str, n: int = 1, **options: object) -> None:
    for _ in range(n):
        lease = queue.start(worker, **options)
        queue.finish(lease, outcome, delay_s=3600, retry=outcome != "failed")


def test_the_sums_are_those_of_the_facts(queue: Queue) -> None:
    worker = queue.worker()
    _run(queue, worker, "completed", 5)
    _run(queue, worker, "failed", 2)
    _run(queue, worker, "timed_out", 3)
    _run(queue, worker, "snoozed")
    queue.cancel(queue.enqueue())
    lost = queue.start(worker)
    queue.rescue(worker)
    assert queue.value("select pgqueue_private.fold_rollups()") == 13
    wanted = {
        ("completed", True): 5,
        ("failed", True): 2,
        ("timed_out", False): 3,
        ("snoozed", False): 1,
        ("cancelled", True): 1,
        ("crashed", False): 1,
    }
    assert _totals(queue) == wanted
    assert queue.count("rollup_flush") == 0
    assert queue.broken_rules() == []
    assert queue.status(lost["task_id"]) == "queued"


def test_a_task_retried_by_hand_is_no_longer_counted_as_ended(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker)
    queue.finish(lease, "failed", retry=False)
    queue.value("select pgqueue_private.fold_rollups()")
    queue.retry(lease["task_id"])
    queue.value("select pgqueue_private.fold_rollups()")
    assert _totals(queue) == {("failed", True): 0}
    (again,) = queue.claim(worker)
    queue.finish(again)
    queue.value("select pgqueue_private.fold_rollups()")
    assert _totals(queue) == {("failed", True): 0, ("completed", True): 1}


def test_folding_in_parts_gives_the_same_as_folding_at_once(queue: Queue) -> None:
    worker = queue.worker()
    _run(queue, worker, "completed", 7)
    while queue.value("select pgqueue_private.fold_rollups(2)"):
        pass
    assert _totals(queue) == {("completed", True): 7}
    assert queue.count("rollup_flush") == 0


def test_folders_at_once_count_each_flush_once(queue: Queue) -> None:
    worker = queue.worker()
    _run(queue, worker, "completed", 60)

    def fold(session: Queue) -> int:
        total = 0
        while session.count("rollup_flush"):
            total += session.value("select pgqueue_private.fold_rollups(3)")
        return total

    assert sum(queue.at_once(6, fold)) == 60
    assert _totals(queue) == {("completed", True): 60}


def test_a_folder_that_finds_another_at_it_does_nothing(queue: Queue) -> None:
    _run(queue, queue.worker(), "completed", 2)
    with queue.holding() as other:
        assert other.value("select pgqueue_private.fold_rollups()") == 2
        assert queue.value("select pgqueue_private.fold_rollups()") == 0
    assert _totals(queue) == {("completed", True): 2}


def test_histograms_hold_every_wait_and_every_run(queue: Queue) -> None:
    worker = queue.worker(lease_s=1e6)
    ids = queue.enqueue_many(*[{"type": "t"}] * 4)
    queue.shift_clock(10)  # bucket 15: up to 16.384 s
    leases = queue.claim(worker)
    assert len(leases) == len(ids)
    queue.shift_clock(110)  # ran 100 s; bucket 18: up to 131 s
    queue.finish_many(
        *[
            {"task_id": lease["task_id"], "lease_id": lease["lease_id"], "outcome": "completed"}
            for lease in leases
        ]
    )
    queue.value("select pgqueue_private.fold_rollups()")
    row = queue.row("select * from pgqueue_private.rollup")
    assert len(row["waits"]) == len(row["runs"]) == 26
    assert row["waits"] == [4 if bucket == 15 else 0 for bucket in range(26)]
    assert row["runs"] == [4 if bucket == 18 else 0 for bucket in range(26)]
    _run(queue, worker, "completed")
    queue.value("select pgqueue_private.fold_rollups()")
    (waits,) = queue.values(
        "select array(select sum(w) from pgqueue_private.rollup, unnest(waits) as w)"
    )
    assert waits == [5]


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(-5, 0), (0, 0), (0.0005, 0), (0.000501, 1), (0.001, 1), (0.0011, 2), (1.024, 11), (1.025, 12),
     (16_777.216, 25), (1e9, 25)],
)  # fmt: skip
def test_a_bucket_holds_up_to_half_a_millisecond_times_a_power_of_two(
    queue: Queue, seconds: float, bucket: int
) -> None:
    assert (
        queue.value("select pgqueue_private.bucket(make_interval(secs => %s))", float(seconds))
        == bucket
    )


def test_a_flush_is_one_row_a_kind_and_not_one_a_task(queue: Queue) -> None:
    worker = queue.worker()
    queue.enqueue_many(*[{"type": "t"}] * 200)
    results = [
        {"task_id": lease["task_id"], "lease_id": lease["lease_id"], "outcome": "completed"}
        for lease in queue.claim(worker, 200)
    ]
    queue.finish_many(*results)
    assert queue.count("rollup_flush") == 1


@pytest.mark.usefixtures("running_clock")
def test_samples_hold_the_depth_and_age_of_every_queue(queue: Queue) -> None:
    worker = queue.worker(lease_s=1e6)
    queue.enqueue_many(
        *[{"type": "t", "queue": "a"}] * 3, {"type": "t", "queue": "b", "delay_s": 60}
    )
    lease = queue.start(worker, queue="b")
    retried = queue.start(worker, queue="b")
    queue.finish(retried, "failed", delay_s=60)
    queue.shift_clock(10)
    queue.value("select pgqueue_private.sample_queues()::text")
    a, b = queue.rows("select * from pgqueue.queues order by name")
    assert (a["name"], a["queued"], a["scheduled"], a["retrying"], a["active"]) == ("a", 3, 0, 0, 0)
    assert (b["name"], b["queued"], b["scheduled"], b["retrying"], b["active"]) == ("b", 0, 1, 1, 1)
    assert 10 <= (a["sampled_at"] - a["oldest_queued_at"]).total_seconds() < 60
    queue.finish(lease)
    queue.claim(worker, queues=("a",))
    queue.value("select pgqueue_private.sample_queues()::text")
    a, b = queue.rows("select * from pgqueue.queues order by name")
    assert (a["queued"], a["active"], a["oldest_queued_at"]) == (0, 3, None)
    assert (b["active"], b["retrying"]) == (0, 1)


def test_a_sampler_that_finds_another_at_it_does_nothing(queue: Queue) -> None:
    queue.enqueue()
    with queue.holding() as other:
        other.value("select pgqueue_private.sample_queues()::text")
        with queue.waiting_for_nobody():
            queue.value("select pgqueue_private.sample_queues()::text")
    assert queue.count("queue_sample") == 1
