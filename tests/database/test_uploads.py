"""Uploads in SQL: whole or not there, and gone when their time is over."""

import hashlib

import psycopg
import pytest

from tests.database.queue import Queue

DAY_S = 86_400
MIB = 1024 * 1024


def _upload(queue: Queue, *pieces: bytes, keep_s: float = 3600) -> str:
    id = queue.value("select pgqueue_private.begin_upload('a.csv', 'text/csv', 60)::text")
    for n, piece in enumerate(pieces):
        queue.rows("select pgqueue_private.append_upload(%s, %s, %s)", id, n, piece)
    whole = b"".join(pieces)
    digest = hashlib.sha256(whole).digest()
    queue.rows(
        "select pgqueue_private.finish_upload(%s, %s, %s, %s)", id, len(whole), digest, keep_s
    )
    return id


def _days(queue: Queue) -> int:
    return queue.value(
        "select count(*) from pg_inherits "
        "where inhparent = 'pgqueue_private.upload_chunk'::regclass"
    )


def _read(queue: Queue, id: str, n: int) -> bytes:
    return bytes(queue.value("select pgqueue_private.read_artifact(%s, upload_id => %s)", n, id))


def test_an_upload_is_there_once_it_is_finished(queue: Queue) -> None:
    id = _upload(queue, b"x" * MIB, b"yz")
    row = queue.row("select * from pgqueue_private.find_artifact(upload_id => %s)", id)
    assert (row["file_name"], row["content_type"], row["size"]) == ("a.csv", "text/csv", MIB + 2)
    assert row["sha256"] == hashlib.sha256(b"x" * MIB + b"yz").hexdigest()
    assert (_read(queue, id, 0), _read(queue, id, 1)) == (b"x" * MIB, b"yz")
    assert queue.row("select * from pgqueue.uploads")["state"] == "there"


def test_one_that_arrives_is_not_there_and_cannot_be_read(queue: Queue) -> None:
    id = queue.value("select pgqueue_private.begin_upload(null, 'text/csv', 60)")
    queue.rows("select pgqueue_private.append_upload(%s, 0, 'x')", id)
    for call in ("find_artifact(upload_id => %s)", "read_artifact(0, upload_id => %s)"):
        with pytest.raises(psycopg.Error) as refused:
            queue.rows(f"select pgqueue_private.{call}", id)
        assert refused.value.sqlstate == "PQ002"
    assert queue.row("select * from pgqueue.uploads")["state"] == "arriving"


def test_what_was_told_must_have_come(queue: Queue) -> None:
    id = queue.value("select pgqueue_private.begin_upload(null, 'text/csv', 60)")
    queue.rows("select pgqueue_private.append_upload(%s, 1, 'x')", id)  # the first was lost
    for size in (2, MIB + 1):
        with pytest.raises(psycopg.Error) as refused:
            queue.rows("select pgqueue_private.finish_upload(%s, %s, 'h', 60)", id, size)
        assert refused.value.sqlstate == "PQ004"


def test_nothing_is_added_to_one_that_is_there_or_gone(queue: Queue) -> None:
    id = _upload(queue, b"x")
    assert queue.value("select pgqueue_private.delete_upload(%s)", _upload(queue, b"y"))
    for other in (id, "00000000-0000-7000-8000-000000000000"):
        with pytest.raises(psycopg.Error) as refused:
            queue.rows("select pgqueue_private.append_upload(%s, 1, 'z')", other)
        assert refused.value.sqlstate == "PQ002"
    assert queue.count("upload_chunk") == 1


def test_a_piece_that_meets_the_deletion_of_its_upload_leaves_nothing(queue: Queue) -> None:
    id = queue.value("select pgqueue_private.begin_upload(null, 'text/csv', 60)")
    with queue.holding() as other:
        other.rows("select pgqueue_private.delete_upload(%s)", id)
        piece = queue.blocked(
            lambda q: q.rows("select pgqueue_private.append_upload(%s, 0, 'x')", id)
        )
    with pytest.raises(psycopg.Error) as refused:
        piece.result(45)
    assert refused.value.sqlstate == "PQ002"
    assert queue.count("upload_chunk") == 0


def test_one_that_did_not_arrive_in_its_time_is_deleted_with_its_pieces(queue: Queue) -> None:
    id = queue.value("select pgqueue_private.begin_upload(null, 'text/csv', 60)")
    queue.rows("select pgqueue_private.append_upload(%s, 0, 'x')", id)
    assert queue.value("select pgqueue_private.prune_uploads()") == 0
    queue.shift_clock(61)
    assert queue.value("select pgqueue_private.prune_uploads()") == 1
    assert (queue.count("upload"), queue.count("upload_chunk")) == (0, 0)


def test_an_expired_one_is_gone_at_once_and_its_day_when_none_needs_it(queue: Queue) -> None:
    short, long = _upload(queue, b"x"), _upload(queue, b"y", keep_s=10 * DAY_S)
    queue.shift_clock(3601)
    with pytest.raises(psycopg.Error) as refused:
        queue.rows("select pgqueue_private.find_artifact(upload_id => %s)", short)
    assert refused.value.sqlstate == "PQ002"
    queue.shift_clock(2 * DAY_S)
    assert queue.value("select pgqueue_private.prune_uploads()") == 1
    assert (_days(queue), _read(queue, long, 0)) == (1, b"y")
    queue.shift_clock(10 * DAY_S)
    assert (
        queue.value("select pgqueue_private.prune_uploads()") == 100
    )  # look again: a day was dropped
    assert queue.value("select pgqueue_private.prune_uploads()") == 0
    assert _days(queue) == 0


def test_an_upload_begun_meanwhile_makes_its_day_once(queue: Queue) -> None:
    ids = queue.at_once(
        4, lambda q: q.value("select pgqueue_private.begin_upload(null, 'text/csv', 60)::text")
    )
    assert (len(set(ids)), _days(queue)) == (4, 1)


def test_a_file_that_a_task_made_is_read_in_pieces_as_well(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    data = bytes(range(256)) * 8192 + b"end"
    queue.rows(
        "select pgqueue_private.save_artifact(%s, %s, 'r.bin', 'application/x', %s)",
        lease["task_id"],
        lease["lease_id"],
        data,
    )
    key = "task_id => %s, name => 'r.bin'"
    assert queue.row(f"select * from pgqueue_private.find_artifact({key})", lease["task_id"])[
        "size"
    ] == len(data)
    pieces = [
        bytes(queue.value(f"select pgqueue_private.read_artifact(%s, {key})", n, lease["task_id"]))
        for n in range(3)
    ]
    assert [len(piece) for piece in pieces] == [MIB, MIB, 3]
    assert b"".join(pieces) == data
    with pytest.raises(psycopg.Error) as refused:
        queue.rows(
            "select pgqueue_private.find_artifact(task_id => %s, name => 'x')", lease["task_id"]
        )
    assert refused.value.sqlstate == "PQ002"
