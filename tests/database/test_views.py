"""The views: what people read with psql."""

import pytest

from tests.database.queue import Queue

COLUMNS = {
    "tasks": "id type queue status status_reason priority payload result error attempt "
    "max_attempts progress created_at run_at started_at finished_at",
    "attempts": "task_id lease_id attempt outcome error started_at finished_at worker",
    "events": "task_id lease_id seq at level message data",
    "checkpoints": "task_id name attempt lease_id at size data",
    "queues": "name queued scheduled retrying active sampled_at workers dead_letters",
    "dead_letters": "id type queue outcome error fingerprint payload priority attempt max_attempts "
    "crash_count timeout_s retry created_at failed_at",
    "dead_letter_policies": "queue retention growth_limit alert_type",
    "operations": "id kind state filter per_second matched matched_exact done skipped requested_by "
    "reason error created_at started_at finished_at",
    "notices": "id at kind queue message data",
    "workers": "id worker state host pid version queues types concurrency started_at heartbeat_at",
    "uploads": "id name content_type size sha256 state created_at expires_at",
    "queue_health": "queue queued scheduled retrying active oldest_wait workers",
}


@pytest.mark.parametrize("view", COLUMNS)
def test_a_view_has_the_columns_that_others_write_against(queue: Queue, view: str) -> None:
    names = queue.values(
        """select column_name from information_schema.columns
           where table_schema = 'pgqueue' and table_name = %s""",
        view,
    )
    assert set(COLUMNS[view].split()) <= set(names)


def test_every_status_is_reached_and_counted(queue: Queue) -> None:
    worker = queue.worker()
    ids = {
        "queued": queue.enqueue(),
        "scheduled": queue.enqueue(run_at="2100-01-01"),
        "active": queue.start(worker, queue="b")["task_id"],
    }
    for status, outcome in (("retrying", "failed"), ("completed", "completed")):
        lease = queue.start(worker, queue="b")
        queue.finish(lease, outcome, delay_s=60)
        ids[status] = lease["task_id"]
    for outcome in ("failed", "timed_out"):
        lease = queue.start(worker, queue="b")
        queue.finish(lease, outcome, retry=False)
        ids[outcome] = lease["task_id"]
    ids["cancelled"] = queue.enqueue()
    queue.cancel(ids["cancelled"])
    assert queue.rows(
        "select status, count(*)::int as n from pgqueue.tasks group by 1 order by 1"
    ) == [
        {"status": status, "n": 2 if status == "failed" else 1}
        for status in sorted({*ids} - {"timed_out"})
    ]
    for status, id in ids.items():
        assert queue.status(id) == ("failed" if status == "timed_out" else status)


def test_attempts_are_every_start_the_current_one_included(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker)
    queue.finish(lease, "failed", error={"type": "E", "message": "no"})
    queue.promote()
    queue.claim(worker)
    rows = queue.rows("select * from pgqueue.attempts order by lease_id")
    assert [(r["attempt"], r["outcome"], r["worker"]) for r in rows] == [
        (1, "failed", "host:7"),
        (2, None, "host:7"),
    ]
    assert rows[0]["error"] == {"type": "E", "message": "no"}
    assert rows[0]["finished_at"] is not None
    assert rows[1]["finished_at"] is None


def test_health_is_counted_live(queue: Queue) -> None:
    worker = queue.worker(lease_s=1e6)
    queue.worker(lease_s=1e6, queues=("other",))
    queue.enqueue_many({"type": "t"}, {"type": "t"}, {"type": "t", "delay_s": 60})
    queue.claim(worker, 1)
    queue.shift_clock(30)
    health = queue.row("select * from pgqueue.queue_health where queue = 'default'")
    assert [health[n] for n in ("queued", "scheduled", "retrying", "active")] == [1, 1, 0, 1]
    assert 30 <= health["oldest_wait"].total_seconds() < 60
    assert 30 <= health["longest_run"].total_seconds() < 60
    assert health["workers"] == 1


def test_workers_are_shown_as_lost_once_their_lease_ran_out(queue: Queue) -> None:
    worker = queue.worker()
    queue.start(worker)
    row = queue.row("select * from pgqueue.workers")
    assert (row["state"], row["active"], row["worker"]) == ("active", 1, "host:7")
    queue.shift_clock(16)
    assert queue.row("select * from pgqueue.workers")["state"] == "lost"
