"""The limits of a queue hold over all workers, whatever they do at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC

import psycopg
import pytest

from tests.database.queue import Queue


def limit(queue: Queue, settings: str, name: str = "default") -> None:
    queue.value("select pgqueue.patch_queue(%s, %s)", name, settings)


def claim(queue: Queue, worker: int, n: int = 100, name: str = "default") -> list[dict]:
    """Claim from one queue with limits; gives the leases."""
    rows = queue.rows(
        "select task_id::text, lease_id, again_s from pgqueue_private.claim_limited(%s, %s, %s)",
        worker,
        name,
        n,
    )
    return [row for row in rows if row["task_id"] is not None]


def again_s(queue: Queue, worker: int) -> float | None:
    (row,) = queue.rows("select * from pgqueue_private.claim_limited(%s, 'default', 10)", worker)
    assert row["task_id"] is None
    return row["again_s"]


def test_no_more_run_at_once_than_the_concurrency(queue: Queue) -> None:
    limit(queue, '{"concurrency": 3}')
    queue.enqueue_many(*[{"type": "t"}] * 10)
    worker, other = queue.worker(), queue.worker()
    first = claim(queue, worker, 2)
    assert len(first) == 2
    assert len(claim(queue, other)) == 1
    assert claim(queue, worker) == []
    queue.finish(first[0])
    assert len(claim(queue, other)) == 1
    assert claim(queue, other) == []


def test_a_claim_without_limits_passes_over_the_queue(queue: Queue) -> None:
    limit(queue, '{"concurrency": 3}')
    queue.enqueue_many({"type": "t"}, {"type": "t", "queue": "other"})
    worker = queue.worker()
    leases = queue.claim(worker, 10, queues=("default", "other"))
    assert [lease["queue"] for lease in leases] == ["other"]


def test_while_a_claim_is_open_another_gets_only_what_is_left_after_it(queue: Queue) -> None:
    limit(queue, '{"concurrency": 3}')
    queue.enqueue_many(*[{"type": "t"}] * 10)
    a, b = queue.session(), queue.session()
    worker = queue.worker()
    a.rows("begin")
    assert len(claim(a, worker, 2)) == 2
    assert claim(b, worker) == []  # whose turn it is not
    assert 0 < (again_s(b, worker) or 0) < 1
    a.rows("commit")
    assert len(claim(b, worker)) == 1


def test_sixteen_claimers_never_exceed_it(queue: Queue) -> None:
    limit(queue, '{"concurrency": 5, "rate": [{"count": 60, "per_seconds": 3600}]}')
    queue.enqueue_many(*[{"type": "t"}] * 200)
    worker = queue.worker(3600)
    sessions = [queue.session() for _ in range(16)]
    running = "select count(*) from pgqueue_private.running"

    def work(session: Queue) -> int:
        done = idle = 0
        while idle < 30:
            leases = claim(session, worker, 3)
            idle = 0 if leases else idle + 1
            assert session.value(running) <= 5
            for lease in leases:
                session.finish(lease)
            done += len(leases)
        return done

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(work, sessions)) == 60
    assert queue.count("running") == 0


@pytest.mark.parametrize("outcome", ["completed", "failed", "released", "snoozed", "cancelled"])
def test_a_slot_is_free_again_however_the_attempt_ends(queue: Queue, outcome: str) -> None:
    limit(queue, '{"concurrency": 1}')
    queue.enqueue_many(*[{"type": "t"}] * 3)
    worker = queue.worker()
    (lease,) = claim(queue, worker)
    queue.finish(lease, outcome=outcome, delay_s=100)
    assert queue.count("running") == 0
    assert len(claim(queue, worker)) == 1


def test_a_plain_completion_frees_its_slot_too(queue: Queue) -> None:
    limit(queue, '{"concurrency": 1}')
    queue.enqueue()
    (lease,) = claim(queue, queue.worker())
    assert queue.complete(lease) == []
    assert queue.count("running") == 0


def test_a_rescue_frees_a_slot_once_and_a_stale_finish_frees_nothing(queue: Queue) -> None:
    limit(queue, '{"concurrency": 1}')
    queue.enqueue_many({"type": "t"}, {"type": "t"})
    dead, alive = queue.worker(), queue.worker()
    (stale,) = claim(queue, dead)
    queue.value("select rescued from pgqueue_private.rescue(array[%s]::bigint[])", dead)
    (held,) = claim(queue, alive)
    assert queue.finish(stale) == [stale["lease_id"]]
    assert queue.count("running") == 1
    assert claim(queue, alive) == []
    queue.finish(held)
    assert queue.count("running") == 0


def test_no_span_of_a_rate_sees_more_starts_than_its_count(queue: Queue) -> None:
    limit(queue, '{"rate": [{"count": 3, "per_seconds": 10}, {"count": 5, "per_seconds": 60}]}')
    queue.enqueue_many(*[{"type": "t"}] * 20)
    worker = queue.worker(3600)
    assert len(claim(queue, worker, 2)) == 2
    queue.shift_clock(4)
    assert len(claim(queue, worker)) == 1
    assert 5 < (again_s(queue, worker) or 0) <= 6  # when the first two are ten seconds old
    queue.shift_clock(9.9)
    assert claim(queue, worker) == []
    queue.shift_clock(10.1)
    assert len(claim(queue, worker)) == 2  # 5 of 5 in the minute
    queue.shift_clock(25.1)
    assert claim(queue, worker) == []
    assert 30 < (again_s(queue, worker) or 0) < 36
    queue.shift_clock(61.1)
    assert len(claim(queue, worker)) == 2


def test_a_limit_that_comes_late_counts_what_runs_and_kills_nothing(queue: Queue) -> None:
    queue.enqueue_many(*[{"type": "t"}] * 8)
    worker = queue.worker()
    running = queue.claim(worker, 4)
    limit(queue, '{"concurrency": 5}')
    assert len(claim(queue, worker)) == 1
    limit(queue, '{"concurrency": 2}')
    assert queue.count("running") == 5
    for lease in running[:3]:
        queue.finish(lease)
    assert claim(queue, worker) == []
    queue.finish(running[3])
    assert len(claim(queue, worker)) == 1
    limit(queue, '{"concurrency": null}')
    assert len(queue.claim(worker, 10)) == 2


def test_nothing_starts_in_a_paused_queue_and_everyone_sees_why(queue: Queue) -> None:
    task = queue.enqueue()
    worker = queue.worker()
    queue.rows("select pgqueue.pause('default', 'the printer burns', 'ada')")
    assert queue.claim(worker) == []
    assert claim(queue, worker) == []
    assert again_s(queue, worker) is None
    row = queue.row("select * from pgqueue.queues")
    assert (row["paused"], row["paused_by"], row["paused_reason"]) == (
        True,
        "ada",
        "the printer burns",
    )
    reason = "select status_reason from pgqueue.tasks where id = %s"
    since = row["paused_at"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert queue.value(reason, task) == (
        f"queue default is paused by ada since {since}: the printer burns"
    )
    assert queue.row("select paused_by, paused_reason, paused_at from pgqueue.queue_health") == {
        name: row[name] for name in ("paused_by", "paused_reason", "paused_at")
    }
    queue.rows("select pgqueue.resume('default')")
    assert queue.value(reason, task) is None
    assert queue.row("select paused, paused_by from pgqueue.queues") == {
        "paused": False,
        "paused_by": None,
    }
    assert len(queue.claim(worker)) == 1


def test_a_queue_is_drained_once_none_of_its_tasks_runs(queue: Queue) -> None:
    look = "select state, still_running from pgqueue.queues"
    lease = queue.start(queue.worker())
    queue.enqueue_many({"type": "t"}, {"type": "t"})
    assert queue.value("select pgqueue.drain('default', 'a new schema', 'ada')") == "draining"
    queue.shift_clock(2)
    assert queue.row(look) == {"state": "draining", "still_running": 1}
    assert queue.value("select state from pgqueue.queue_health") == "draining"
    assert queue.value("select pgqueue.drain('default')") == "draining"
    queue.finish(lease)
    assert queue.value("select pgqueue.drain('default', 'a new schema', 'ada')") == "paused"
    assert queue.row(look) == {"state": "paused", "still_running": 0}
    assert queue.value("select state from pgqueue.queue_health") == "paused"
    assert queue.count("ready") == 2
    queue.rows("select pgqueue.resume('default')")
    assert queue.row(look) == {"state": "active", "still_running": None}


def test_a_claim_on_its_way_keeps_a_queue_draining(queue: Queue) -> None:
    queue.enqueue()
    worker = queue.worker()
    with queue.holding() as other:
        assert len(other.claim(worker)) == 1  # its commit is not there when the pause is
        assert queue.value("select pgqueue.drain('default')") == "draining"
    assert queue.value("select still_running from pgqueue.queues") == 1


def test_a_queue_that_is_not_there_can_be_paused_but_not_resumed(queue: Queue) -> None:
    queue.rows("select pgqueue.pause('new')")
    queue.enqueue(queue="new")
    assert queue.claim(queue.worker(), queues=("new",)) == []
    with pytest.raises(psycopg.DatabaseError) as error:
        queue.rows("select pgqueue.resume('nwe')")
    assert error.value.sqlstate == "PQ002"
    assert queue.values("select name from pgqueue_private.queue") == ["new"]


@pytest.mark.parametrize(
    "rate",
    [
        "[]",
        "{}",
        "3",
        "[1]",
        '[{"count": 1}]',
        '[{"count": 0, "per_seconds": 1}]',
        '[{"count": 1.5, "per_seconds": 1}]',
        '[{"count": "1", "per_seconds": 1}]',
        '[{"count": 1, "per_seconds": 1e9}]',
        '[{"count": 1, "per_seconds": 1, "burst": 1}]',
    ],
)
def test_what_is_no_rate_is_refused(queue: Queue, rate: str) -> None:
    assert queue.value("select pgqueue_private.rate_fits(%s)", rate) is False
    with pytest.raises(Exception, match="rate must be a list of objects"):
        limit(queue, f'{{"rate": {rate}}}')


def test_starts_that_no_rate_counts_are_forgotten(queue: Queue) -> None:
    limit(queue, '{"rate": [{"count": 3, "per_seconds": 10}]}')
    queue.enqueue_many(*[{"type": "t"}] * 6)
    worker = queue.worker(3600)
    claim(queue, worker)
    queue.shift_clock(5)
    queue.value("select pgqueue_private.prune()")
    assert queue.count("limit_use") == 1
    queue.shift_clock(11)
    queue.value("select pgqueue_private.prune()")
    assert queue.count("limit_use") == 0


def test_a_task_that_starts_while_its_queue_gets_a_limit_keeps_no_slot_when_it_ends(
    queue: Queue,
) -> None:
    worker = queue.worker()
    queue.enqueue_many({"type": "t"}, {"type": "t"})
    (first,) = queue.claim(worker, 1)
    with queue.holding() as other:
        other.rows("select from pgqueue_private.running for update")
        limiting = queue.blocked(lambda session: limit(session, '{"concurrency": 1}'))
        (second,) = queue.claim(worker, 1)  # between the parts of the change
    limiting.result()
    for lease in (first, second):
        arrays = (
            "select refused from pgqueue_private.finish('[]', array[%s]::uuid[], "
            "array[%s]::bigint[])"
        )
        assert queue.value(arrays, lease["task_id"], lease["lease_id"]) == []
    assert queue.count("running") == 0
