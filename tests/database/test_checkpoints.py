"""What tasks remember, and completions inside a caller's own transaction."""

import psycopg
import pytest

from tests.database.queue import Queue


def save(queue: Queue, lease: dict, name: str, data: str) -> None:
    queue.rows(
        "select pgqueue.save_checkpoint(%s, %s, %s, %s)",
        *(lease["task_id"], lease["lease_id"], name, data),
    )


def complete(queue: Queue, lease: dict, result: str | None = None) -> bool:
    return queue.value(
        "select pgqueue.complete_attempt(%s, %s, %s)", lease["task_id"], lease["lease_id"], result
    )


def write_and_complete(queue: Queue, lease: dict) -> str | None:
    """A handler's transaction; gives the SQLSTATE that it ended with, if it failed."""
    try:
        with queue.connection.transaction():
            queue.rows("insert into effect values (1)")
            complete(queue, lease)
    except psycopg.Error as error:
        return error.sqlstate
    return None


def claim_one(queue: Queue, worker: int) -> dict:
    (lease,) = queue.claim(worker)
    return lease


def test_a_checkpoint_is_seen_with_the_attempt_that_saved_it(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    save(queue, lease, "fetch", '{"rows": 3}')
    save(queue, lease, "", '"ä"')
    rows = queue.rows("select * from pgqueue.checkpoints order by name")
    assert [(row["name"], row["data"], row["size"]) for row in rows] == [
        ("", "ä", 4),
        ("fetch", {"rows": 3}, 11),
    ]
    assert {(str(row["task_id"]), row["lease_id"], row["attempt"]) for row in rows} == {
        (lease["task_id"], lease["lease_id"], 1)
    }


def test_a_newer_value_takes_the_place_of_the_older(queue: Queue) -> None:
    worker = queue.worker()
    lease = queue.start(worker)
    save(queue, lease, "", "1")
    save(queue, lease, "", "2")
    queue.finish(lease, "failed", delay_s=0)
    queue.promote()
    save(queue, claim_one(queue, worker), "", "3")
    rows = queue.rows("select attempt, data from pgqueue.checkpoints")
    assert rows == [{"attempt": 2, "data": 3}]


def test_an_attempt_that_lost_its_lease_cannot_save_a_checkpoint(queue: Queue) -> None:
    lease = queue.start(worker := queue.worker())
    queue.rescue(worker)
    assert claim_one(queue, queue.worker())["task_id"] == lease["task_id"]
    with pytest.raises(psycopg.Error) as caught:
        save(queue, lease, "step", "1")
    assert caught.value.sqlstate == "PQ001"
    assert queue.count("checkpoint") == 0


def test_a_rescue_passes_over_an_attempt_whose_checkpoint_is_being_saved(queue: Queue) -> None:
    lease = queue.start(worker := queue.worker())
    with queue.holding() as saving:
        save(saving, lease, "step", "1")
        assert queue.rescue(worker) == 0
    assert queue.rescue(worker) == 1
    assert claim_one(queue, queue.worker())["resumes"] is True


def test_a_finish_waits_for_the_checkpoint_so_that_the_next_attempt_sees_it(queue: Queue) -> None:
    lease = queue.start(worker := queue.worker())
    with queue.holding() as saving:
        save(saving, lease, "step", "1")
        finishing = queue.blocked(lambda q: q.finish(lease, "snoozed", delay_s=0))
    assert finishing.result(45) == []
    queue.promote()
    assert claim_one(queue, worker)["resumes"] is True


def test_only_a_task_that_left_checkpoints_resumes(queue: Queue) -> None:
    worker = queue.worker()
    fresh, plain, saved = queue.start(worker), queue.start(worker), queue.start(worker)
    save(queue, saved, "step", "1")
    assert not any(lease["resumes"] for lease in (fresh, plain, saved))
    for lease in (plain, saved):
        queue.finish(lease, "failed", delay_s=0)
    queue.promote()
    resumes = {lease["task_id"]: lease["resumes"] for lease in queue.claim(worker)}
    assert resumes == {plain["task_id"]: False, saved["task_id"]: True}


@pytest.mark.parametrize("way", ["crash", "release", "snooze", "retry by hand"])
def test_a_task_resumes_after_whatever_ended_its_attempt(queue: Queue, way: str) -> None:
    lease = queue.start(worker := queue.worker())
    save(queue, lease, "step", "1")
    match way:
        case "crash":
            queue.rescue(worker)
            worker = queue.worker()
        case "release":
            queue.finish(lease, "released")
        case "snooze":
            queue.finish(lease, "snoozed", delay_s=0)
            queue.promote()
        case _:
            queue.finish(lease, "failed", retry=False)
            queue.retry(lease["task_id"])
    assert claim_one(queue, worker)["resumes"] is True


def test_a_fresh_claim_does_not_look_at_checkpoints(queue: Queue) -> None:
    queue.start(worker := queue.worker())
    queue.enqueue_many(*[{"type": "t"}] * 20)
    with queue.connection.transaction():
        assert len(queue.claim(worker)) == 20
        looked = queue.value(
            """select sum(coalesce(idx_scan, 0) + coalesce(seq_scan, 0))
               from pg_stat_xact_user_tables where relname like 'checkpoint%%'"""
        )
    assert looked == 0


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("n" * 101, "1"),
        ("step", '"' + "x" * 262_144 + '"'),
        ("step", "[" * 70 + "]" * 70),
    ],
    ids=["a long name", "large data", "deep data"],
)
def test_what_is_remembered_is_bounded(queue: Queue, name: str, data: str) -> None:
    lease = queue.start(queue.worker())
    with pytest.raises(psycopg.errors.CheckViolation):
        save(queue, lease, name, data)


def test_a_task_remembers_a_thousand_names_at_most(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    queue.rows(
        "select pgqueue.save_checkpoint(%s, %s, n::text, '1') from generate_series(1, 1000) as n",
        *(lease["task_id"], lease["lease_id"]),
    )
    save(queue, lease, "7", "2")
    with pytest.raises(psycopg.Error) as caught:
        save(queue, lease, "one more", "1")
    assert caught.value.sqlstate == "PQ004"


def test_a_task_remembers_four_megabytes_at_most(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    large = '"' + "x" * 262_142 + '"'
    for n in range(16):
        save(queue, lease, str(n), large)
    save(queue, lease, "0", large)
    with pytest.raises(psycopg.Error) as caught:
        save(queue, lease, "16", "1")
    assert caught.value.sqlstate == "PQ004"


def test_a_completion_commits_with_what_else_the_transaction_wrote(queue: Queue) -> None:
    queue.rows("create table effect (n int)")
    lease = queue.start(queue.worker())
    with queue.holding() as own:
        own.rows("insert into effect values (1)")
        assert complete(own, lease, '{"sum": 3}') is False
        assert queue.status(lease["task_id"]) == "active"
    assert queue.value("select count(*) from effect") == 1
    task = queue.task(lease["task_id"])
    assert (task["status"], task["result"]) == ("completed", {"sum": 3})
    assert queue.finish(lease, "failed") == [lease["lease_id"]]


def test_a_completion_that_is_rolled_back_never_was(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    with queue.holding() as own:
        complete(own, lease)
        raise psycopg.Rollback
    assert queue.status(lease["task_id"]) == "active"
    assert queue.finish(lease) == []


def test_a_completion_looks_like_any_other(queue: Queue) -> None:
    worker = queue.worker()
    one, other = queue.start(worker), queue.start(worker)
    complete(queue, one)
    queue.finish(other)
    [a], [b] = queue.attempts(one["task_id"]), queue.attempts(other["task_id"])
    assert (a["outcome"], a["final"], a["result"], a["progress"]) == (
        *(b["outcome"], b["final"], b["result"], b["progress"]),
    )


@pytest.mark.parametrize("by", ["rescue", "finish"])
def test_a_lost_lease_completes_nothing_and_aborts_the_transaction(queue: Queue, by: str) -> None:
    queue.rows("create table effect (n int)")
    lease = queue.start(worker := queue.worker())
    if by == "rescue":
        queue.rescue(worker)
    else:
        queue.finish(lease)
    assert write_and_complete(queue.session(), lease) == "PQ001"
    assert queue.value("select count(*) from effect") == 0


def test_a_task_whose_cancel_was_asked_is_not_completed(queue: Queue) -> None:
    queue.rows("create table effect (n int)")
    lease = queue.start(queue.worker())
    queue.cancel(lease["task_id"])
    assert write_and_complete(queue.session(), lease) == "PQ001"
    assert queue.value("select count(*) from effect") == 0
    assert queue.finish(lease, "failed") == []
    assert queue.status(lease["task_id"]) == "cancelled"


def test_a_cancel_that_meets_a_completion_waits_and_comes_too_late(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    with queue.holding() as own:
        complete(own, lease)
        cancelling = queue.blocked(lambda q: q.cancel(lease["task_id"]))
    assert cancelling.result(45) == "completed"


def test_a_rescue_passes_over_a_task_that_is_being_completed(queue: Queue) -> None:
    lease = queue.start(worker := queue.worker())
    with queue.holding() as own:
        complete(own, lease)
        assert queue.rescue(worker) == 0
    assert queue.status(lease["task_id"]) == "completed"


def test_the_finish_of_an_unsure_worker_waits_for_the_completion_and_is_refused(
    queue: Queue,
) -> None:
    lease = queue.start(queue.worker())
    with queue.holding() as own:
        complete(own, lease, '"done"')
        finishing = queue.blocked(lambda q: q.finish(lease, "failed"))
    assert finishing.result(45) == [lease["lease_id"]]
    assert queue.task(lease["task_id"])["result"] == "done"


def test_of_many_completions_at_once_one_counts(queue: Queue) -> None:
    queue.rows("create table effect (n int)")
    lease = queue.start(queue.worker())

    states = queue.at_once(8, lambda session: write_and_complete(session, lease))
    assert (states.count(None), states.count("PQ001")) == (1, 7)
    assert queue.value("select count(*) from effect") == 1


def test_a_silent_session_does_not_keep_a_task_locked(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    with queue.holding() as own:
        complete(own, lease)
        limit = own.value("select current_setting('idle_in_transaction_session_timeout')")
    assert limit == "15s"
    assert queue.session().value("show idle_in_transaction_session_timeout") == "0"
