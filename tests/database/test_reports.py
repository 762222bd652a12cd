"""What running attempts report: progress, logs, files; and what apps publish."""

import hashlib

import orjson
import psycopg
import pytest

from tests.database.queue import Queue


def test_the_latest_progress_is_seen_while_the_task_runs(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    assert queue.progress({**_of(lease), "percent": 10, "message": "a"}) == []
    assert queue.progress({**_of(lease), "percent": 40.5, "message": "rows read"}) == []
    progress = queue.task(lease["task_id"])["progress"]
    assert (progress["percent"], progress["message"]) == (40.5, "rows read")
    assert progress["at"] is not None


def test_progress_outlives_the_attempt(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    queue.progress({**_of(lease), "percent": 70})
    queue.finish(lease)
    assert queue.task(lease["task_id"])["progress"]["percent"] == 70


def test_a_worker_that_lost_its_lease_cannot_report_progress(queue: Queue) -> None:
    worker = queue.worker()
    stale = queue.start(worker)
    queue.rescue(worker)
    (fresh,) = queue.claim(queue.worker())
    refused = queue.progress({**_of(stale), "percent": 99}, {**_of(fresh), "percent": 1})
    assert refused == [stale["lease_id"]]
    assert queue.task(fresh["task_id"])["progress"]["percent"] == 1


def test_log_lines_are_kept_in_the_order_of_the_lease(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    _log(queue, lease, 1, 2)
    _log(queue, lease, 3)
    events = queue.rows(
        "select * from pgqueue.events where task_id = %s order by lease_id, seq", lease["task_id"]
    )
    assert [(e["seq"], e["message"], e["level"]) for e in events] == [
        (1, "line 1", "info"),
        (2, "line 2", "info"),
        (3, "line 3", "info"),
    ]
    assert events[0]["data"] == {"n": 1}


def test_log_lines_sent_twice_are_kept_once(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    _log(queue, lease, 1, 2)
    _log(queue, lease, 1, 2, 3)
    assert queue.values("select seq from pgqueue.events order by seq") == [1, 2, 3]


def test_log_lines_of_a_lost_lease_are_forgotten(queue: Queue) -> None:
    lease = queue.start(worker := queue.worker())
    _log(queue, lease, 1)
    queue.rescue(worker)
    (fresh,) = queue.claim(queue.worker())
    _log(queue, lease, 2)
    _log(queue, fresh, 3)
    assert queue.finish(fresh) == []
    _log(queue, fresh, 4)
    assert queue.values("select seq from pgqueue.events order by seq") == [1, 3]


def test_a_file_is_kept_with_its_digest_and_replaced_by_one_of_its_name(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    _save(queue, lease, b"one")
    _save(queue, lease, b"second")
    row = queue.row("select * from pgqueue_private.artifact")
    assert (bytes(row["data"]), row["size"]) == (b"second", 6)
    assert row["content_type"] == "text/plain"
    assert bytes(row["sha256"]) == hashlib.sha256(b"second").digest()


def test_a_worker_that_lost_its_lease_cannot_save_a_file(queue: Queue) -> None:
    worker = queue.worker()
    stale = queue.start(worker)
    queue.rescue(worker)
    with pytest.raises(psycopg.Error) as caught:
        _save(queue, stale, b"stale")
    assert caught.value.sqlstate == "PQ001"
    (fresh,) = queue.claim(queue.worker())
    _save(queue, fresh, b"fresh")
    with pytest.raises(psycopg.Error):
        _save(queue, stale, b"stale")
    assert bytes(queue.value("select data from pgqueue_private.artifact")) == b"fresh"


def test_a_rescue_waits_for_nothing_but_leaves_out_a_task_whose_file_is_being_saved(
    queue: Queue,
) -> None:
    worker = queue.worker()
    lease = queue.start(worker)
    with queue.holding() as other:
        _save(other, lease, b"data")
        assert queue.rescue(worker) == 0
    assert queue.rescue() == 1
    assert queue.count("artifact") == 1


@pytest.mark.parametrize("name", ["", "../etc/passwd", "a/b", ".hidden", "a" * 101, "nul\n"])
def test_the_name_of_a_file_is_plain(queue: Queue, name: str) -> None:
    lease = queue.start(queue.worker())
    with pytest.raises(psycopg.errors.CheckViolation):
        _save(queue, lease, b"", name)


def test_a_file_of_more_than_16_mib_is_refused(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    with pytest.raises(psycopg.errors.CheckViolation):
        queue.value(
            """select pgqueue_private.save_artifact(%s, %s, 'a', 'text/plain',
               decode(repeat('00', 16777217), 'hex'))""",
            lease["task_id"],
            lease["lease_id"],
        )


@pytest.mark.parametrize("kind", ["", "pdf", "text/html\r\nset-cookie: a=b", "a/é", "é/a"])
def test_a_file_whose_type_no_header_can_hold_is_refused(queue: Queue, kind: str) -> None:
    lease = queue.start(queue.worker())
    with pytest.raises(psycopg.errors.CheckViolation):
        queue.value(
            "select pgqueue_private.save_artifact(%s, %s, 'a', %s, '')::text",
            lease["task_id"],
            lease["lease_id"],
            kind,
        )


def test_types_are_published_with_their_queues(queue: Queue) -> None:
    _publish(queue, {"name": "a", "queue": "q1"}, {"name": "b", "queue": "q2"})
    assert queue.values("select name from pgqueue_private.task_type order by 1") == ["a", "b"]
    assert queue.values("select name from pgqueue_private.queue order by 1") == ["q1", "q2"]


def test_publishing_the_same_again_changes_no_row(queue: Queue) -> None:
    _publish(queue, {"name": "a"}, {"name": "b"})
    before = queue.rows("select ctid, * from pgqueue_private.task_type order by name")
    _publish(queue, {"name": "b"}, {"name": "a"})
    assert queue.rows("select ctid, * from pgqueue_private.task_type order by name") == before


def test_publishing_a_changed_type_replaces_it(queue: Queue) -> None:
    _publish(queue, {"name": "a"}, {"name": "b"})
    _publish(queue, {"name": "a", "payload_schema": {"type": "object"}, "timeout_s": 5})
    row = queue.row("select * from pgqueue_private.task_type where name = 'a'")
    assert (row["payload_schema"], row["timeout_s"]) == ({"type": "object"}, 5)


def test_many_apps_may_publish_at_once(queue: Queue) -> None:
    types = [{"name": f"t{n}", "queue": f"q{n % 3}"} for n in range(40)]
    orders = iter([types, types[::-1]] * 4)
    queue.at_once(8, lambda q: _publish(q, *next(orders)))
    assert queue.count("task_type") == 40
    assert queue.count("queue") == 3


def _of(lease: dict) -> dict:
    return {"task_id": lease["task_id"], "lease_id": lease["lease_id"]}


def _log(queue: Queue, lease: dict, *seqs: int) -> None:
    lines = [
        {**_of(lease), "seq": seq, "level": "info", "message": f"line {seq}", "data": {"n": seq}}
        for seq in seqs
    ]
    queue.value("select pgqueue_private.append_events(%s)", orjson.dumps(lines).decode())


def _save(queue: Queue, lease: dict, data: bytes, name: str = "a.txt") -> None:
    queue.value(
        "select pgqueue_private.save_artifact(%s, %s, %s, 'text/plain', %s)::text",
        lease["task_id"],
        lease["lease_id"],
        name,
        data,
    )


def _publish(queue: Queue, *types: dict) -> None:
    full = [
        {"queue": "default", "max_attempts": 3, "description": "", "payload_schema": {}, **type}
        for type in types
    ]
    queue.value("select pgqueue_private.publish_types(%s)::text", orjson.dumps(full).decode())
