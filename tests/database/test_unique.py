"""Uniqueness: whatever races, a key has one task that counts."""

import itertools
import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue

FINAL = ("completed", "failed", "cancelled")
LIVE = ("scheduled", "queued", "active", "retrying")
KEY = {"type": "t", "dedup_key": "k"}
BEFORE = pytest.mark.parametrize("before", [0, 1], ids=["a new key", "a key whose task has ended"])


def one(queue: Queue, /, **options: Any) -> tuple[str | None, str]:
    """Enqueue one task with the key that every test here uses; gives its id and its verdict."""
    [answer] = queue.enqueue_unique({**KEY, **options})
    return answer


def in_status(queue: Queue, status: str, /, **options: Any) -> str:
    """A task with the key, brought into a status."""
    if status == "scheduled":
        options["delay_s"] = 3600
    id, verdict = one(queue, **options)
    assert id is not None
    assert verdict == "stored"
    if status == "cancelled":
        queue.cancel(id)
    elif status not in ("scheduled", "queued"):
        (lease,) = queue.claim(queue.worker())
        if status == "completed":
            queue.finish(lease)
        elif status != "active":
            queue.finish(lease, "failed", retry=status == "retrying", delay_s=3600)
    assert queue.status(id) == status
    return id


@BEFORE
def test_32_writers_at_once_make_one_task(queue: Queue, before: int) -> None:
    if before:
        in_status(queue, "completed")
    ids = set()
    writers = [threading.Thread(target=lambda: ids.add(one(queue.session()))) for _ in range(32)]
    with queue.holding() as first:
        id, _ = one(first)
        for writer in writers:
            writer.start()
        queue.until(
            "select count(*) = 32 from pg_stat_activity where datname = current_database() "
            "and wait_event_type = 'Lock'"
        )
    for writer in writers:
        writer.join(45)
    assert ids == {(id, "returned")}
    assert queue.count("task") == 1 + before


@BEFORE
def test_32_writers_without_a_head_start_make_one_task(queue: Queue, before: int) -> None:
    keys = [{"type": "t", "dedup_key": str(n)} for n in range(20)]
    for id, _ in queue.enqueue_unique(*keys) if before else ():
        queue.cancel(str(id))
    start = threading.Barrier(32)
    sessions = [queue.session() for _ in range(32)]
    answers: list[tuple[str | None, str]] = []

    def write(session: Queue) -> None:
        start.wait(45)
        for key in keys:
            answers.extend(session.enqueue_unique(key))

    writers = [threading.Thread(target=write, args=[session]) for session in sessions]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(45)
    assert len(answers) == 32 * 20
    assert sum(verdict == "stored" for _, verdict in answers) == 20
    assert len({id for id, _ in answers}) == 20
    assert queue.count("task") == 20 * (1 + before)


def test_a_writer_that_rolls_back_leaves_the_key_to_the_one_who_waits(queue: Queue) -> None:
    other = queue.session()
    other.rows("begin")
    lost, _ = one(other)
    late = queue.blocked(one)
    other.rows("rollback")
    id, verdict = late.result(45)
    assert verdict == "stored"
    assert id != lost
    assert queue.count("task") == 1


def test_batches_with_the_same_keys_in_another_order_do_not_wait_for_each_other(
    queue: Queue,
) -> None:
    keys = [{"type": "t", "dedup_key": str(n)} for n in range(200)]
    orders = itertools.cycle([keys, keys[::-1]])
    answers = queue.at_once(8, lambda q: q.enqueue_unique(*next(orders)))
    assert len({id for answer in answers for id, _ in answer}) == 200
    assert queue.count("task") == 200


def test_a_transaction_may_hold_more_keys_than_the_lock_table_has_room_for(queue: Queue) -> None:
    tasks = [{"type": "t", "dedup_key": str(n)} for n in range(3_000)]
    with queue.connection.transaction():
        queue.enqueue_unique(*tasks)
        assert queue.value("select count(*) from pg_locks where pid = pg_backend_pid()") < 200
    assert queue.count("dedup") == 3_000


@pytest.mark.parametrize("status", [*LIVE, *FINAL])
def test_by_default_a_task_counts_until_it_has_ended(queue: Queue, status: str) -> None:
    other = in_status(queue, status)
    id, verdict = one(queue)
    assert (verdict == "returned") == (id == other) == (status in LIVE)


@pytest.mark.parametrize("status", [*LIVE, *FINAL])
def test_within_a_window_a_completed_task_counts_too(queue: Queue, status: str) -> None:
    other = in_status(queue, status, dedup_window_s=60)
    id, verdict = one(queue, dedup_window_s=60)
    assert (verdict == "returned") == (id == other) == (status not in ("failed", "cancelled"))


def test_after_its_window_a_task_counts_no_more_whatever_its_status(queue: Queue) -> None:
    other = in_status(queue, "scheduled", dedup_window_s=60)
    queue.shift_clock(59)
    assert one(queue, dedup_window_s=60) == (other, "returned")
    queue.shift_clock(61)
    id, verdict = one(queue, dedup_window_s=60)
    assert (verdict, id == other) == ("stored", False)
    assert one(queue, dedup_window_s=60) == (id, "returned")


def test_only_the_named_statuses_count(queue: Queue) -> None:
    other = in_status(queue, "active")
    waiting = ["scheduled", "queued", "retrying"]
    assert one(queue, dedup_statuses=["active"]) == (other, "returned")
    id, verdict = one(queue, dedup_statuses=waiting)
    assert (verdict, id == other) == ("stored", False)
    assert one(queue, dedup_statuses=waiting) == (id, "returned")


def test_a_status_may_count_for_ever(queue: Queue) -> None:
    other = in_status(queue, "completed", dedup_statuses=["completed"])
    queue.shift_clock(30 * 86_400)
    queue.value("select pgqueue_private.prune_dedup()")
    assert one(queue, dedup_statuses=["completed"]) == (other, "returned")


def test_keys_are_apart_by_type_or_by_queue(queue: Queue) -> None:
    first = one(queue)[0]
    assert one(queue, type="u")[1] == "stored"
    assert one(queue, queue="q") == (first, "returned")
    in_queue = one(queue, queue="q", dedup_scope="queue")
    assert in_queue[1] == "stored"
    assert one(queue, type="u", queue="q", dedup_scope="queue") == (in_queue[0], "returned")
    assert one(queue, queue="r", dedup_scope="queue")[1] == "stored"
    assert queue.count("task") == 4


def test_the_scope_of_a_queue_is_the_queue_that_the_type_names(queue: Queue) -> None:
    queue.rows(
        "insert into pgqueue_private.task_type (name, queue, updated_at) "
        "values ('t', 'mail', now())"
    )
    id, _ = one(queue, dedup_scope="queue")
    assert one(queue, type="u", queue="mail", dedup_scope="queue") == (id, "returned")


def test_keys_are_apart_by_user(queue: Queue) -> None:
    task = '[{"type": "t", "dedup_key": "k"}]'
    for user in (1, 2):
        call = "select verdicts from pgqueue.enqueue_unique(%s, %s)"
        assert queue.value(call, task, user) == ["stored"]
    assert queue.values("select user_id from pgqueue_private.task order by 1") == [1, 2]


def test_a_batch_may_hold_a_key_twice_and_tasks_without_one(queue: Queue) -> None:
    a, b, c, d, e = queue.enqueue_unique(
        {**KEY, "payload": {"n": 1}},
        {"type": "t", "payload": {"n": 2}},
        {**KEY, "payload": {"n": 3}},
        {"type": "t", "dedup_key": "other"},
        {**KEY, "payload": {"n": 5}, "dedup_statuses": ["completed"]},
    )
    assert [verdict for _, verdict in (a, b, c, d, e)] == [
        *("stored", "stored", "returned", "stored", "stored")
    ]
    assert a[0] == c[0]
    assert len({a[0], b[0], d[0], e[0]}) == 4
    assert queue.values("select payload ->> 'n' from pgqueue_private.task order by seq") == [
        *("1", "2", None, "5")
    ]
    assert one(queue) == (e[0], "returned"), "the key names its newest task"


def test_reject_stores_nothing_and_names_the_other(queue: Queue) -> None:
    other, _ = one(queue)
    with pytest.raises(psycopg.Error) as caught:
        queue.enqueue_unique({"type": "t"}, {**KEY, "on_conflict": "reject"})
    assert caught.value.sqlstate == "PQ003"
    assert caught.value.diag.message_detail == other
    assert queue.count("task") == 1


def test_where_others_shall_be_stored_a_rejected_one_is_named(queue: Queue) -> None:
    reject = {**KEY, "on_conflict": "reject"}
    first, free, twin = queue.enqueue_unique(reject, {"type": "t"}, reject, strict=False)
    assert (first[1], free[1]) == ("stored", "stored")
    assert twin == (first[0], "rejected")
    assert queue.count("task") == 2


@pytest.mark.parametrize("status", ["scheduled", "queued", "retrying"])
def test_replace_gives_a_waiting_task_the_payload_and_the_run_at(queue: Queue, status: str) -> None:
    other = in_status(queue, status, payload={"v": 1})
    at = queue.now() + timedelta(hours=5)
    for _ in range(2):
        assert one(queue, payload={"v": 2}, run_at=at.isoformat(), on_conflict="replace") == (
            *(other, "replaced"),
        )
    task = queue.task(other)
    assert (task["payload"], task["run_at"]) == ({"v": 2}, at)
    assert task["status"] == ("retrying" if status == "retrying" else "scheduled")
    assert queue.claim(queue.worker()) == []
    assert one(queue, payload={"v": 3}, on_conflict="replace") == (other, "replaced")
    (lease,) = queue.claim(queue.worker())
    assert (lease["task_id"], lease["payload"]) == (other, '{"v": 3}')
    assert lease["attempt"] == (2 if status == "retrying" else 1)
    assert queue.count("task") == 1


def test_replace_in_place_keeps_the_place(queue: Queue) -> None:
    other, _ = one(queue)
    last = queue.enqueue()
    one(queue, payload={"v": 2}, on_conflict="replace")
    assert queue.claimed(queue.worker()) == [other, last]


def test_replace_returns_an_active_task_as_it_is(queue: Queue) -> None:
    other = in_status(queue, "active", payload={"v": 1})
    assert one(queue, payload={"v": 2}, on_conflict="replace") == (other, "returned")
    assert queue.task(other)["payload"] == {"v": 1}


def test_replace_never_gives_a_task_the_payload_of_another_type(queue: Queue) -> None:
    mine = {"dedup_scope": "queue", "on_conflict": "replace"}
    other, _ = one(queue, **mine)
    [answer] = queue.enqueue_unique({**KEY, "type": "u", **mine}, strict=False)
    assert answer == (other, "rejected")
    with pytest.raises(psycopg.Error, match="has another type"):
        one(queue, type="u", **mine)


def test_within_a_batch_the_last_replaces(queue: Queue) -> None:
    first, *others = queue.enqueue_unique(
        *({**KEY, "payload": {"v": v}, "on_conflict": "replace"} for v in range(3))
    )
    assert others == [(first[0], "replaced")] * 2
    assert queue.task(str(first[0]))["payload"] == {"v": 2}


def test_a_replaced_payload_has_the_bounds_of_any(queue: Queue) -> None:
    other, _ = one(queue, payload={"v": 1})
    with pytest.raises(psycopg.errors.CheckViolation):
        one(queue, payload={"v": "x" * 300_000}, on_conflict="replace")
    assert queue.task(other)["payload"] == {"v": 1}


def test_a_claim_passes_over_a_task_that_is_being_replaced(queue: Queue) -> None:
    other, _ = one(queue, payload={"v": 1})
    worker = queue.worker()
    with queue.holding() as writer:
        one(writer, payload={"v": 2}, on_conflict="replace")
        assert queue.claim(worker) == []
    (lease,) = queue.claim(worker)
    assert (lease["task_id"], lease["payload"]) == (other, '{"v": 2}')


def test_a_task_that_is_claimed_while_one_waits_to_replace_it_keeps_its_payload(
    queue: Queue,
) -> None:
    other, _ = one(queue, payload={"v": 1})
    worker = queue.worker()
    with queue.holding() as claimer:
        (lease,) = claimer.claim(worker)
        late = queue.blocked(lambda q: one(q, payload={"v": 2}, on_conflict="replace"))
    assert late.result(45) == (other, "returned")
    assert lease["payload"] == '{"v": 1}'
    assert queue.task(other)["payload"] == {"v": 1}


def test_debounce_moves_a_task_on_until_nothing_comes_for_the_delay(queue: Queue) -> None:
    debounce = {"on_conflict": "debounce", "delay_s": 10}
    id, _ = one(queue, payload={"v": 0}, **debounce)
    for second in (8, 16, 24):
        queue.shift_clock(second)
        assert queue.promote()["moved"] == 0
        assert one(queue, payload={"v": second}, **debounce) == (id, "replaced")
    queue.shift_clock(35)
    assert queue.promote()["moved"] == 1
    (lease,) = queue.claim(queue.worker())
    assert lease["payload"] == '{"v": 24}'


def test_debounce_moves_back_a_task_that_is_due_already(queue: Queue) -> None:
    id, _ = one(queue)
    assert one(queue, on_conflict="debounce", delay_s=10) == (id, "replaced")
    assert queue.status(id) == "scheduled"


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"dedup_key": ""}, "1 to 255"),
        ({"dedup_key": "x" * 256}, "1 to 255"),
        ({"dedup_scope": "user"}, "type or queue"),
        ({"dedup_statuses": []}, "one or more"),
        ({"dedup_statuses": ["done"]}, "one or more"),
        ({"dedup_statuses": ["queued", None]}, "one or more"),
        ({"dedup_window_s": 0}, "more than 0"),
        ({"dedup_window_s": -1}, "more than 0"),
        ({"dedup_window_s": 1e10}, "more than 0"),
        ({"on_conflict": "overwrite"}, "return, reject"),
        ({"on_conflict": "debounce"}, "delay"),
        ({"dedup_key": None, "on_conflict": "return"}, "need a dedup_key"),
        ({"dedup_key": None, "dedup_window_s": 5}, "need a dedup_key"),
    ],
)
def test_what_cannot_be_right_is_refused_before_anything_is_stored(
    queue: Queue, options: dict[str, Any], hint: str
) -> None:
    with pytest.raises(psycopg.Error) as caught:
        queue.enqueue_unique({"type": "t"}, {**KEY, **options})
    assert caught.value.sqlstate == "PQ004"
    assert hint in (caught.value.diag.message_hint or "")
    assert (queue.count("task"), queue.count("dedup")) == (0, 0)


def test_a_retry_by_hand_never_collides_with_its_key(queue: Queue) -> None:
    first = in_status(queue, "failed")
    second, _ = one(queue)
    assert queue.retry(first) == "queued"
    assert {queue.status(str(id)) for id in (first, second)} == {"queued"}
    assert one(queue) == (second, "returned")


def test_a_retry_of_its_own_never_collides_with_its_key(queue: Queue) -> None:
    id, _ = one(queue)
    worker = queue.worker()
    (lease,) = queue.claim(worker)
    queue.finish(lease, "failed", delay_s=0)
    assert one(queue) == (id, "returned")
    queue.promote()
    assert queue.claimed(worker) == [id]


def test_a_task_that_was_retried_by_hand_counts_again(queue: Queue) -> None:
    id = in_status(queue, "failed")
    queue.retry(id)
    assert one(queue) == (id, "returned")


def test_enqueue_takes_the_same_words(queue: Queue) -> None:
    id = queue.enqueue(dedup_key="k", dedup_statuses=["queued"], dedup_window_s=60)
    assert queue.enqueue(dedup_key="k") == id
    assert queue.enqueue(dedup_key="k", dedup_scope="queue") != id
    assert queue.task(id)["dedup_key"] == "k"
    with pytest.raises(psycopg.Error) as caught:
        queue.enqueue(dedup_key="k", on_conflict="reject")
    assert caught.value.sqlstate == "PQ003"
    with pytest.raises(psycopg.Error, match="the dedup settings of a task are not valid"):
        queue.enqueue(on_conflict="reject")


def test_tasks_without_a_key_leave_no_trace_of_it(queue: Queue) -> None:
    queue.enqueue()
    queue.enqueue_many({"type": "t"})
    assert queue.count("dedup") == 0


def test_a_transaction_that_sees_the_past_gets_an_error_and_no_second_task(queue: Queue) -> None:
    other = queue.session()
    other.rows("begin isolation level repeatable read")
    other.count("task")
    one(queue)
    with pytest.raises(psycopg.errors.SerializationFailure):
        one(other)
    assert queue.count("task") == 1


# what is kept of keys


def test_a_key_is_forgotten_when_its_task_has_ended_and_kept_while_it_has_not(
    queue: Queue,
) -> None:
    live = one(queue)[0]
    ended, _ = one(queue, type="u")
    queue.cancel(str(ended))
    assert queue.value("select pgqueue_private.prune_dedup()") == 0, "a young key is left alone"
    queue.shift_clock(601)
    assert queue.value("select pgqueue_private.prune_dedup()") == 2
    assert queue.values("select task_id::text from pgqueue_private.dedup") == [live]
    assert queue.value("select pgqueue_private.prune_dedup()") == 0, (
        "it is not looked at again at once"
    )
    assert one(queue) == (live, "returned")


def test_a_key_is_kept_for_the_longest_window_that_asked_for_it(queue: Queue) -> None:
    id = in_status(queue, "completed", dedup_window_s=60)
    assert one(queue, dedup_window_s=86_400) == (id, "returned")
    queue.shift_clock(3_600)
    assert queue.value("select pgqueue_private.prune_dedup()") == 0
    assert one(queue, dedup_window_s=86_400) == (id, "returned")
    queue.shift_clock(86_500)
    queue.value("select pgqueue_private.prune_dedup()")
    assert queue.count("dedup") == 0


def test_the_key_of_a_task_that_is_gone_is_forgotten(queue: Queue) -> None:
    id = in_status(queue, "completed", dedup_statuses=["completed"])
    queue.shift_clock(601)
    queue.value("select pgqueue_private.prune_dedup()")
    assert queue.count("dedup") == 1
    for table in ("attempt where task_id", "task where id"):
        queue.rows(f"delete from pgqueue_private.{table} = %s", id)
    queue.rows("delete from pgqueue_private.rollup_flush")
    queue.shift_clock(86_400)
    queue.value("select pgqueue_private.prune_dedup()")
    assert queue.count("dedup") == 0


def test_a_key_that_is_being_used_is_not_forgotten_meanwhile(queue: Queue) -> None:
    in_status(queue, "completed")
    queue.shift_clock(601)
    with queue.holding() as writer:
        id, verdict = one(writer)
        assert verdict == "stored"
        assert queue.value("select pgqueue_private.prune_dedup()") == 0
    queue.value("select pgqueue_private.prune_dedup()")
    assert one(queue) == (id, "returned")


def test_forgetting_takes_bounded_steps(queue: Queue) -> None:
    answers = queue.enqueue_unique(*({"type": "t", "dedup_key": str(n)} for n in range(30)))
    for id, _ in answers[:25]:
        queue.cancel(str(id))
    queue.shift_clock(601)
    assert [queue.value("select pgqueue_private.prune_dedup(20)") for _ in range(3)] == [20, 10, 0]
    assert queue.count("dedup") == 5
