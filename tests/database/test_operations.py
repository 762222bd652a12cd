"""Operations over many tasks: throttled, resumable, done once, whoever dies."""

from typing import Any

import orjson
import psycopg
import pytest

from tests.database.queue import Queue
from tests.database.test_dead_letters import dead_letters, fail

pytestmark = pytest.mark.usefixtures("running_clock")


def start(queue: Queue, kind: str, filter: dict[str, Any], **options: Any) -> str:
    named = "".join(f", {name} => %s" for name in options)
    return str(
        queue.value(
            f"select pgqueue.start_operation(%s, %s{named})",
            kind,
            orjson.dumps(filter).decode(),
            *options.values(),
        )
    )


def preview(queue: Queue, kind: str, filter: dict[str, Any]) -> dict[str, Any]:
    return queue.row(
        "select * from pgqueue.preview_operation(%s, %s)", kind, orjson.dumps(filter).decode()
    )


def step(queue: Queue) -> dict[str, Any]:
    return queue.row("select * from pgqueue_private.run_operations()")


def operation(queue: Queue, id: str) -> dict[str, Any]:
    return queue.row("select * from pgqueue.operations where id = %s", id)


def later(queue: Queue, type: str = "t") -> str:
    """Enqueue a task that waits for its time."""
    (id,) = queue.enqueue_many({"type": type, "delay_s": 9_000})
    return id


class Clock:
    """Moves on in steps, so that what is throttled is due."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._at = 0.0

    def advance(self, seconds: float) -> None:
        self._at += seconds
        self._queue.shift_clock(self._at)

    def run(self, id: str, steps: int = 200) -> dict[str, Any]:
        """Run an operation to its end."""
        for _ in range(steps):
            if step(self._queue)["operation_state"] not in (None, "running"):
                return operation(self._queue, id)
            self.advance(1.1)
        raise AssertionError(operation(self._queue, id))


@pytest.fixture
def clock(queue: Queue) -> Clock:
    return Clock(queue)


@pytest.fixture
def worker(queue: Queue) -> int:
    return queue.worker(1e9)


def test_a_redrive_runs_what_matches_and_nothing_else(
    queue: Queue, worker: int, clock: Clock
) -> None:
    wanted = [fail(queue, worker, type="a") for _ in range(30)]
    other = fail(queue, worker, type="b")
    id = start(queue, "redrive", {"type": "a"}, reason="fixed", requested_by="ann")
    row = operation(queue, id)
    assert (row["state"], row["matched"], row["matched_exact"]) == ("queued", 30, True)
    row = clock.run(id)
    assert (row["state"], row["done"], row["skipped"], row["error"]) == ("completed", 30, 0, None)
    assert (row["requested_by"], row["reason"]) == ("ann", "fixed")
    assert row["created_at"] <= row["started_at"] <= row["finished_at"]
    assert dead_letters(queue) == [other]
    assert queue.claimed(worker) == wanted  # oldest failure first


def test_what_fails_again_meanwhile_is_not_redriven_twice(
    queue: Queue, worker: int, clock: Clock
) -> None:
    for _ in range(4):
        fail(queue, worker)
    id = start(queue, "redrive", {"all": True}, per_second=10)
    step(queue)
    for lease in queue.claim(worker):
        queue.finish(lease, "failed", retry=False)
    clock.advance(1)
    row = clock.run(id)
    assert (row["done"], row["matched"]) == (4, 4)
    assert len(dead_letters(queue)) == 2


def test_a_delete_takes_letters_away_and_leaves_tasks_failed(
    queue: Queue, worker: int, clock: Clock
) -> None:
    ids = [fail(queue, worker) for _ in range(5)]
    fingerprint = queue.value("select min(fingerprint) from pgqueue.dead_letters")
    row = clock.run(start(queue, "delete", {"fingerprint": fingerprint}))
    assert (row["done"], dead_letters(queue)) == (5, [])
    assert {queue.status(id) for id in ids} == {"failed"}


def test_a_cancel_finds_tasks_wherever_they_wait_or_run(
    queue: Queue, worker: int, clock: Clock
) -> None:
    active = queue.start(worker)
    retrying = queue.start(worker)
    queue.finish(retrying, "failed", delay_s=9_000)
    released = queue.start(worker)
    queue.finish(released, "released")
    scheduled = later(queue)
    queued = [queue.enqueue(priority=n) for n in (0, 5, 10)]
    done = queue.start(worker, queue="q")
    queue.finish(done)
    id = start(queue, "cancel", {"all": True}, reason="wrong")
    row = clock.run(id)
    assert (row["matched"], row["done"], row["skipped"]) == (7, 7, 0)
    waiting = [scheduled, retrying["task_id"], released["task_id"], *queued]
    assert {queue.task(id)["status_reason"] for id in waiting} == {"wrong"}
    assert {queue.status(id) for id in waiting} == {"cancelled"}
    assert queue.task(active["task_id"])["status_reason"] == "cancel requested"
    assert queue.status(done["task_id"]) == "completed"


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({"type": "a"}, {"a queued", "a scheduled", "a active", "q queued"}),
        ({"queue": "q"}, {"q queued"}),
        ({"status": "queued"}, {"a queued", "b queued", "q queued"}),
        ({"status": "scheduled"}, {"a scheduled"}),
        ({"status": "active"}, {"a active"}),
        ({"status": "retrying"}, {"b retrying"}),
        ({"type": "a", "queue": "q", "status": "queued"}, {"q queued"}),
        ({"from": "2100-01-01T00:00:00Z"}, set()),
        ({"to": "2000-01-01T00:00:00Z"}, set()),
        ({"from": "2000-01-01", "to": "2100-01-01", "type": "b"}, {"b queued", "b retrying"}),
        ({"ids": True}, {"a queued", "b retrying", "a active"}),
        ({"ids": True, "type": "a", "status": "active"}, {"a active"}),
    ],
)
def test_a_cancel_keeps_to_its_filter(
    queue: Queue, worker: int, clock: Clock, filter: dict[str, Any], expected: set[str]
) -> None:
    retrying = queue.start(worker, type="b")
    queue.finish(retrying, "failed", delay_s=9_000)
    places = {
        "b retrying": retrying["task_id"],
        "a active": queue.start(worker, type="a")["task_id"],
        "a queued": queue.enqueue("a"),
        "b queued": queue.enqueue("b"),
        "q queued": queue.enqueue("a", queue="q"),
        "a scheduled": later(queue, "a"),
    }
    if "ids" in filter:
        named = [places[name] for name in ("a queued", "b retrying", "a active")]
        filter = {**filter, "ids": [*named, "019b2f6e-8a3c-7d12-8000-0a1b2c3d4e5f"]}
    seen = preview(queue, "cancel", filter)
    assert (seen["count"], seen["exact"]) == (len(expected), True)
    assert {item["id"] for item in seen["sample"]} == {places[name] for name in expected}
    row = clock.run(start(queue, "cancel", filter, per_second=1))
    assert row["done"] == len(expected)
    hit = {
        name
        for name, id in places.items()
        if queue.status(id) == "cancelled" or queue.task(id)["status_reason"] == "cancel requested"
    }
    assert hit == expected


def test_a_task_that_moves_while_a_cancel_goes_through_is_found_all_the_same(
    queue: Queue, worker: int, clock: Clock
) -> None:
    lease = queue.start(worker)
    for _ in range(3):
        later(queue)
    id = start(queue, "cancel", {"all": True}, per_second=5)
    step(queue)  # the ready tokens: none
    queue.finish(lease, "released")  # ready now, behind the place
    row = clock.run(id)
    assert row["done"] == 4
    assert queue.status(lease["task_id"]) == "cancelled"


def test_what_is_enqueued_after_the_start_is_spared(
    queue: Queue, worker: int, clock: Clock
) -> None:
    queue.enqueue()
    id = start(queue, "cancel", {"all": True})
    clock.advance(1)
    later = queue.enqueue()
    assert clock.run(id)["done"] == 1
    assert queue.status(later) == "queued"


@pytest.mark.parametrize("kind", ["redrive", "delete", "cancel"])
def test_what_comes_while_the_start_counts_is_neither_counted_nor_worked_on(
    queue: Queue, worker: int, clock: Clock, kind: str
) -> None:
    """The start waits in its count, which is over when the last one comes."""
    make = queue.enqueue if kind == "cancel" else lambda: fail(queue, worker)
    for _ in range(4):
        make()
    with queue.holding() as gate:
        gate.rows("lock table pgqueue_private.operation in access exclusive mode")
        starting = queue.blocked(lambda session: start(session, kind, {"all": True}))
        late = make()
    row = clock.run(starting.result(45))
    assert (row["matched"], row["matched_exact"], row["done"]) == (4, True, 4)
    assert queue.status(late) == ("queued" if kind == "cancel" else "failed")
    assert dead_letters(queue) == ([] if kind == "cancel" else [late])


@pytest.mark.parametrize("kind", ["redrive", "delete", "cancel"])
def test_what_was_there_but_not_committed_at_the_start_counts_when_it_is_done(
    queue: Queue, worker: int, clock: Clock, kind: str
) -> None:
    if kind != "cancel":
        lease = queue.start(worker)
    with queue.holding() as session:
        if kind == "cancel":
            session.enqueue()
        else:
            session.finish(lease, "failed", retry=False)
        id = start(queue, kind, {"all": True})
        assert operation(queue, id)["matched"] == 0
    row = clock.run(id)
    assert (row["matched"], row["done"]) == (1, 1)


def batch_of(queue: Queue, *tasks: dict[str, Any]) -> str:
    """Create an open batch of tasks."""
    made = "select id::text from pgqueue.create_batch('b', %s, open => true)"
    return queue.value(made, orjson.dumps(tasks).decode())


def test_what_is_added_to_a_batch_after_the_start_of_a_cancel_is_spared(
    queue: Queue, clock: Clock
) -> None:
    batch = batch_of(queue, {"type": "t"})
    id = start(queue, "cancel", {"batch_id": batch})
    clock.advance(1)
    late = queue.enqueue("t", batch_id=batch)
    row = clock.run(id)
    assert (row["matched"], row["done"]) == (1, 1)
    assert queue.status(late) == "queued"


def test_what_fails_in_a_batch_after_the_start_of_a_retry_stays_failed(
    queue: Queue, worker: int, clock: Clock
) -> None:
    batch = batch_of(queue, {"type": "t"}, {"type": "t"})
    first, second = queue.claim(worker)
    queue.finish(first, "failed", retry=False)
    id = start(queue, "retry", {"batch_id": batch})
    clock.advance(1)
    queue.finish(second, "failed", retry=False)
    row = clock.run(id)
    assert (row["matched"], row["done"]) == (1, 1)
    assert queue.status(first["task_id"]) == "queued"
    assert queue.status(second["task_id"]) == "failed"


def test_a_cancel_does_not_wait_for_a_task_that_is_just_being_finished(
    queue: Queue, worker: int, clock: Clock
) -> None:
    finishing, other = queue.start(worker), queue.start(worker)
    id = start(queue, "cancel", {"all": True})
    with queue.holding() as session:
        session.finish(finishing)
        for _ in range(4):  # ready, delayed, running, and again
            step(queue)
            clock.advance(1.1)
        assert operation(queue, id)["state"] == "running"
        assert operation(queue, id)["done"] == 1
    assert clock.run(id)["done"] == 1
    assert queue.status(finishing["task_id"]) == "completed"
    assert queue.task(other["task_id"])["status_reason"] == "cancel requested"


def test_a_part_is_a_fifth_of_a_second_and_the_next_comes_when_its_time_is_over(
    queue: Queue, worker: int, clock: Clock
) -> None:
    for _ in range(8):
        fail(queue, worker)
    start(queue, "redrive", {"all": True}, per_second=10)
    for _ in range(4):
        before = queue.value("select pgqueue.clock()")
        assert step(queue)["worked"] == 2
        due = queue.value("select next_at from pgqueue_private.operation")
        assert (due - before).total_seconds() >= 0.2
        clock.advance(0.2)


def test_a_part_that_is_not_due_is_not_done(queue: Queue, worker: int, clock: Clock) -> None:
    for _ in range(2):
        fail(queue, worker)
    start(queue, "redrive", {"all": True}, per_second=0.1)
    assert step(queue)["worked"] == 1
    part = step(queue)
    assert (part["operation_id"], part["worked"]) == (None, 0)
    assert 0 < part["next_due_s"] <= 10
    clock.advance(10)
    assert step(queue)["worked"] == 1


def test_a_part_that_did_not_commit_is_done_again_and_nothing_twice(
    queue: Queue, worker: int, clock: Clock
) -> None:
    ids = [fail(queue, worker) for _ in range(9)]
    id = start(queue, "redrive", {"all": True}, per_second=15)
    step(queue)
    clock.advance(1)
    killed = queue.session()
    with killed.connection.transaction(force_rollback=True):  # kill -9 in the middle
        assert step(killed)["worked"] == 3
    assert operation(queue, id)["done"] == 3
    assert clock.run(id)["done"] == 9
    assert queue.claimed(worker) == ids


def test_two_supervisors_share_one_operation_and_do_nothing_twice(
    queue: Queue, worker: int
) -> None:
    ids = [fail(queue, worker) for _ in range(60)]
    id = start(queue, "redrive", {"all": True}, per_second=75)

    def supervise(session: Queue) -> int:
        done = 0
        while operation(session, id)["state"] in ("queued", "running"):
            done += step(session)["worked"]
        return done

    assert sum(queue.at_once(2, supervise)) == 60
    row = operation(queue, id)
    assert (row["state"], row["done"], row["skipped"]) == ("completed", 60, 0)
    assert sorted(queue.claimed(worker)) == sorted(ids)
    assert queue.count("ready") == 0


def test_while_one_works_on_a_part_the_others_pass_by(
    queue: Queue, worker: int, clock: Clock
) -> None:
    for _ in range(4):
        fail(queue, worker, queue="a")
        fail(queue, worker, queue="b")
    first = start(queue, "redrive", {"queue": "a"})
    second = start(queue, "delete", {"queue": "b"})
    with queue.holding() as other:
        assert str(step(other)["operation_id"]) == first
        assert str(step(queue)["operation_id"]) == second
        assert step(queue)["operation_id"] is None
    assert operation(queue, first)["done"] == 4
    assert operation(queue, second)["done"] == 4


@pytest.mark.parametrize("kind", ["redrive", "delete"])
def test_a_letter_that_someone_is_at_is_skipped_not_waited_for(
    queue: Queue, worker: int, clock: Clock, kind: str
) -> None:
    taken, free, deleted = (fail(queue, worker) for _ in range(3))
    id = start(queue, kind, {"all": True})
    with queue.holding() as other:
        other.retry(taken)
        other.value("select pgqueue.delete_dead_letter(%s)", deleted)
        assert step(queue)["worked"] == 1
    row = clock.run(id) if operation(queue, id)["state"] == "running" else operation(queue, id)
    assert (row["state"], row["done"], row["skipped"]) == ("completed", 1, 2)
    assert queue.status(free) == ("queued" if kind == "redrive" else "failed")
    assert dead_letters(queue) == []


def test_a_part_that_fails_is_tried_again_and_holds_up_no_other_operation(
    queue: Queue, worker: int, clock: Clock
) -> None:
    fail(queue, worker)
    id = start(queue, "redrive", {"all": True})
    queue.rows(
        """create function pgqueue.refuse() returns trigger language plpgsql as
           'begin raise exception ''no room''; end'"""
    )
    queue.rows(
        """create trigger refuse before insert on pgqueue_private.ready
           for each row execute function pgqueue.refuse()"""
    )
    assert step(queue)["operation_error"] == "no room"
    row = operation(queue, id)
    assert (row["state"], row["done"], row["error"]) == ("running", 0, "no room")
    other = start(queue, "delete", {"type": "none"})
    step(queue)
    assert operation(queue, other)["state"] == "completed"
    queue.rows("alter table pgqueue_private.ready disable trigger refuse")
    row = clock.run(id)
    assert (row["state"], row["done"], row["error"]) == ("completed", 1, None)

    fail(queue, worker)
    queue.rows("alter table pgqueue_private.ready enable trigger refuse")
    hopeless = start(queue, "redrive", {"all": True})
    for _ in range(5):
        step(queue)
        clock.advance(30)
    row = operation(queue, hopeless)
    assert (row["state"], row["error"]) == ("failed", "no room")
    assert len(dead_letters(queue)) == 1


def test_a_cancelled_operation_stops_and_what_is_done_stays_done(
    queue: Queue, worker: int, clock: Clock
) -> None:
    for _ in range(6):
        fail(queue, worker)
    id = start(queue, "redrive", {"all": True}, per_second=10)
    step(queue)
    assert queue.value("select pgqueue.cancel_operation(%s)", id) == "cancelled"
    assert queue.value("select pgqueue.cancel_operation(%s)", id) == "cancelled"
    clock.advance(5)
    assert step(queue)["operation_id"] is None
    row = operation(queue, id)
    assert (row["done"], row["state"], len(dead_letters(queue))) == (2, "cancelled", 4)
    assert row["finished_at"] is not None
    unknown = "019b2f6e-8a3c-7d12-8000-0a1b2c3d4e5f"
    assert queue.value("select pgqueue.cancel_operation(%s)", unknown) is None


def test_a_cancel_of_an_operation_waits_for_its_part_and_wins(queue: Queue, worker: int) -> None:
    for _ in range(6):
        fail(queue, worker)
    id = start(queue, "redrive", {"all": True}, per_second=10)
    with queue.holding() as other:
        step(other)
        cancelling = queue.blocked(lambda q: q.value("select pgqueue.cancel_operation(%s)", id))
    assert cancelling.result(45) == "cancelled"
    assert operation(queue, id)["done"] == 2


def test_a_preview_counts_shows_a_sample_and_stores_nothing(queue: Queue, worker: int) -> None:
    ids = [fail(queue, worker, type="a") for _ in range(12)]
    fail(queue, worker, type="b")
    seen = preview(queue, "redrive", {"type": "a"})
    assert (seen["count"], seen["exact"]) == (12, True)
    assert seen["sample"][0] == {
        "id": ids[0],
        "type": "a",
        "queue": "default",
        "status": "failed",
    }
    assert [item["id"] for item in seen["sample"]] == ids[:10]
    assert preview(queue, "delete", {"type": "none"})["sample"] == []
    assert queue.count("operation") == 0


@pytest.mark.parametrize("kind", ["delete", "cancel"])
def test_a_preview_of_very_many_is_an_estimate_that_says_so(
    queue: Queue, worker: int, kind: str
) -> None:
    queue.enqueue_many(*[{"type": "ab"[n % 4 == 0]} for n in range(2000)])
    if kind == "delete":
        failed = [
            {**lease, "outcome": "failed", "retry": False} for lease in queue.claim(worker, 2000)
        ]
        queue.finish_many(*failed)
    queue.rows("analyze")
    seen = queue.row(
        "select * from pgqueue.preview_operation(%s, %s, look => 500)",
        kind,
        '{"queue": "default", "type": "b"}',
    )
    assert seen["exact"] is False
    assert 450 < seen["count"] < 550


@pytest.mark.parametrize(
    ("kind", "filter", "words"),
    [
        ("redrive", {}, "everything"),
        ("redrive", {"type": None}, "everything"),
        ("redrive", [], "not an object"),
        ("redrive", {"status": "queued"}, "status"),
        ("cancel", {"fingerprint": "x"}, "fingerprint"),
        ("cancel", {"status": "completed"}, "completed"),
        ("cancel", {"colour": "red"}, "colour"),
        ("cancel", {"all": True, "queue": "q"}, "the only key"),
        ("cancel", {"all": False}, "the only key"),
        ("cancel", {"type": 7}, "type"),
        ("cancel", {"type": ""}, "type"),
        ("delete", {"ids": []}, "ids"),
        ("delete", {"ids": "x"}, "ids"),
        ("drop", {"all": True}, "drop"),
    ],
)
def test_a_filter_that_cannot_be_right_is_refused(
    queue: Queue, kind: str, filter: Any, words: str
) -> None:
    for call in (start, preview):
        with pytest.raises(psycopg.Error, match=words) as caught:
            call(queue, kind, filter)
        assert caught.value.sqlstate == "PQ004"
    assert queue.count("operation") == 0


@pytest.mark.parametrize("filter", [{"from": "noon"}, {"ids": ["x"]}, {"from": "2026-13-01"}])
def test_a_value_that_is_none_is_refused(queue: Queue, filter: dict[str, Any]) -> None:
    with pytest.raises(psycopg.DataError):
        start(queue, "delete", filter)


@pytest.mark.parametrize("per_second", [0, -1, 2001, float("nan"), None])
def test_a_pace_is_within_bounds(queue: Queue, per_second: float | None) -> None:
    with pytest.raises(psycopg.Error) as caught:
        start(queue, "delete", {"all": True}, per_second=per_second)
    assert caught.value.sqlstate == "PQ004"


def test_no_more_than_100_operations_wait(queue: Queue) -> None:
    for _ in range(100):
        start(queue, "delete", {"all": True})
    with pytest.raises(psycopg.Error) as caught:
        start(queue, "delete", {"all": True})
    assert caught.value.sqlstate == "PQ003"


def test_times_are_stored_in_utc_whatever_the_session_thinks(queue: Queue) -> None:
    queue.rows("set timezone = 'Asia/Tokyo'")
    id = start(queue, "delete", {"from": "2026-01-01 09:00", "to": "2026-01-02T00:00:00Z"})
    assert operation(queue, id)["filter"] == {
        "from": "2026-01-01T00:00:00.000000Z",
        "to": "2026-01-02T00:00:00.000000Z",
    }


def test_who_asked_is_the_session_unless_it_says_otherwise(queue: Queue) -> None:
    id = start(queue, "delete", {"all": True})
    assert operation(queue, id)["requested_by"] == queue.value("select session_user::text")
