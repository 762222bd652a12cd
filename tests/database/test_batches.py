"""Batches: counts that are right at any moment, and an end that is seen once."""

import json
from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue


def create(queue: Queue, tasks: int | list[dict[str, Any]] | None = 2, **options: Any) -> str:
    """Make a batch and give its id."""
    if isinstance(tasks, int):
        tasks = [{"type": "t", "payload": {"n": n}} for n in range(tasks)]
    given = {"name": "b", "tasks": tasks, **options}
    named = ", ".join(f"{name} => %s" for name in given)
    values = [json.dumps(v) if isinstance(v, dict | list) else v for v in given.values()]
    return str(queue.value(f"select id from pgqueue.create_batch({named})", *values))


def add(queue: Queue, id: str, n: int = 1) -> list[str]:
    return queue.value(
        "select pgqueue.add_to_batch(%s, %s)::text[]", id, json.dumps([{"type": "t"}] * n)
    )


def close(queue: Queue, id: str) -> str | None:
    return queue.value("select pgqueue.close_batch(%s)", id)


def look(queue: Queue, id: str) -> dict[str, Any]:
    return queue.row("select * from pgqueue.batches where id = %s", id)


def counts(queue: Queue, id: str) -> tuple[int, ...]:
    batch = look(queue, id)
    return tuple(
        batch[name] for name in ("total", "waiting", "active", "completed", "failed", "cancelled")
    )


def of_type(queue: Queue, type: str) -> list[str]:
    return queue.values(
        "select id::text from pgqueue_private.task where type = %s order by id", type
    )


CALLBACKS = {
    "on_success": {"type": "success"},
    "on_failure": {"type": "failure"},
    "on_complete": {"type": "complete"},
}


def called(queue: Queue) -> dict[str, int]:
    return {name: len(of_type(queue, name.removeprefix("on_"))) for name in CALLBACKS}


def test_a_batch_counts_its_tasks_as_they_go(queue: Queue) -> None:
    worker = queue.worker()
    id = create(queue, 5)
    assert counts(queue, id) == (5, 5, 0, 0, 0, 0)

    first, second, third, fourth = queue.claim(worker, 4)
    assert counts(queue, id) == (5, 1, 4, 0, 0, 0)

    queue.finish(first)
    queue.finish(second, result={"kept": True})
    queue.finish(third, "failed", retry=False)
    queue.finish(fourth, "failed", delay_s=60)
    assert counts(queue, id) == (5, 2, 0, 2, 1, 0)
    assert look(queue, id)["percent"] == 60
    assert look(queue, id)["status"] == "running"

    for task in of_type(queue, "t"):
        queue.cancel(task)
    batch = look(queue, id)
    assert counts(queue, id) == (5, 0, 0, 2, 1, 2)
    assert (batch["status"], batch["percent"]) == ("failed", 100)
    assert batch["ended_at"] is not None
    assert queue.broken_rules() == []


def test_the_transaction_that_ends_the_last_task_enqueues_the_callbacks(queue: Queue) -> None:
    worker = queue.worker()
    create(queue, 2, **CALLBACKS)
    first, last = queue.claim(worker)
    queue.finish(first)
    assert called(queue) == {"on_success": 0, "on_failure": 0, "on_complete": 0}
    with queue.holding() as other:
        other.finish(last)
        assert called(other) == {"on_success": 1, "on_failure": 0, "on_complete": 1}
        assert called(queue) == {"on_success": 0, "on_failure": 0, "on_complete": 0}
    assert called(queue) == {"on_success": 1, "on_failure": 0, "on_complete": 1}
    assert queue.broken_rules() == []


def test_a_callback_without_a_payload_gets_the_batch(queue: Queue) -> None:
    worker = queue.worker()
    id = create(
        queue,
        1,
        on_success={"type": "success", "payload": {"own": 1}},
        on_complete={"type": "complete"},
    )
    queue.finish(queue.claim(worker)[0])
    batch = look(queue, id)
    assert queue.task(batch["success_task_id"])["payload"] == {"own": 1}
    assert queue.task(batch["complete_task_id"])["payload"] == {
        "batch_id": id, "name": "b", "outcome": "completed",
        "total": 1, "completed": 1, "failed": 0, "cancelled": 0,
    }  # fmt: skip


@pytest.mark.parametrize(("outcome", "status"), [("failed", "failed"), ("cancelled", "cancelled")])
def test_a_batch_in_which_something_did_not_complete_calls_on_failure(
    queue: Queue, outcome: str, status: str
) -> None:
    worker = queue.worker()
    id = create(queue, 2, **CALLBACKS)
    first, last = queue.claim(worker)
    queue.finish(first, outcome, retry=False)
    queue.finish(last)
    assert called(queue) == {"on_success": 0, "on_failure": 1, "on_complete": 1}
    assert look(queue, id)["status"] == status


@pytest.mark.parametrize("how", ["plain", "kept"])
def test_two_who_end_the_last_two_tasks_at_once_end_the_batch_once(queue: Queue, how: str) -> None:
    worker = queue.worker()
    id = create(queue, 2, **CALLBACKS)
    first, last = queue.claim(worker)
    more = {"result": 1} if how == "kept" else {}
    with queue.holding() as other:
        other.finish(first, **more)  # counted, not committed
        waiting = queue.blocked(lambda q: q.finish(last, **more))
    assert waiting.result(45) == []
    assert called(queue) == {"on_success": 1, "on_failure": 0, "on_complete": 1}
    assert counts(queue, id) == (2, 0, 0, 2, 0, 0)
    assert queue.broken_rules() == []


def test_the_one_before_may_roll_back(queue: Queue) -> None:
    worker = queue.worker()
    id = create(queue, 2, **CALLBACKS)
    first, last = queue.claim(worker)
    with queue.holding() as other:
        other.finish(first)
        waiting = queue.blocked(lambda q: q.finish(last))
        raise psycopg.Rollback
    waiting.result(45)
    assert counts(queue, id) == (2, 0, 1, 1, 0, 0)
    queue.finish(first)
    assert called(queue) == {"on_success": 1, "on_failure": 0, "on_complete": 1}


def test_many_who_end_a_batch_at_once_end_it_once(queue: Queue) -> None:
    worker = queue.worker()
    id = create(queue, 64, **CALLBACKS)
    leases = queue.claim(worker)
    parts = iter([leases[n::8] for n in range(8)])

    def finish_part(other: Queue) -> None:
        for lease in next(parts):
            other.finish(lease)

    queue.at_once(8, finish_part)
    assert called(queue) == {"on_success": 1, "on_failure": 0, "on_complete": 1}
    assert counts(queue, id) == (64, 0, 0, 64, 0, 0)
    assert queue.broken_rules() == []


def test_an_open_batch_takes_more_and_ends_only_when_it_is_closed(queue: Queue) -> None:
    worker = queue.worker()
    id = create(queue, None, **CALLBACKS)
    assert look(queue, id)["status"] == "open"
    add(queue, id, 2)
    for lease in queue.claim(worker):
        queue.finish(lease)
    assert counts(queue, id) == (2, 0, 0, 2, 0, 0)
    assert look(queue, id)["status"] == "open"
    add(queue, id)
    assert close(queue, id) == "running"
    with pytest.raises(psycopg.Error, match="is closed") as refused:
        add(queue, id)
    assert refused.value.sqlstate == "PQ003"
    queue.finish(queue.claim(worker)[0])
    assert close(queue, id) == "completed"
    assert called(queue) == {"on_success": 1, "on_failure": 0, "on_complete": 1}
    assert queue.broken_rules() == []


def test_closing_a_batch_of_which_nothing_is_left_ends_it(queue: Queue) -> None:
    worker = queue.worker()
    id = create(queue, 1, open=True, **CALLBACKS)
    queue.finish(queue.claim(worker)[0])
    assert close(queue, id) == "completed"
    assert called(queue)["on_success"] == 1


def test_an_empty_batch_ends_at_once(queue: Queue) -> None:
    id = create(queue, 0, **CALLBACKS)
    assert look(queue, id)["status"] == "completed"
    assert look(queue, id)["percent"] == 100
    assert called(queue) == {"on_success": 1, "on_failure": 0, "on_complete": 1}


def test_closing_waits_for_who_ends_a_task_of_the_open_batch(queue: Queue) -> None:
    worker = queue.worker()
    id = create(queue, 1, open=True, **CALLBACKS)
    (lease,) = queue.claim(worker)
    with queue.holding() as other:
        other.finish(lease)
        waiting = queue.blocked(lambda q: close(q, id))
    assert waiting.result(45) == "completed"
    assert called(queue)["on_success"] == 1


def test_who_ends_a_task_waits_for_who_closes_the_batch(queue: Queue) -> None:
    worker = queue.worker()
    id = create(queue, 1, open=True, **CALLBACKS)
    (lease,) = queue.claim(worker)
    with queue.holding() as other:
        assert close(other, id) == "running"
        waiting = queue.blocked(lambda q: q.finish(lease))
    waiting.result(45)
    assert look(queue, id)["status"] == "completed"
    assert called(queue)["on_success"] == 1


def test_closing_waits_for_who_adds(queue: Queue) -> None:
    id = create(queue, None)
    with queue.holding() as other:
        add(other, id)
        waiting = queue.blocked(lambda q: close(q, id))
    assert waiting.result(45) == "running"
    assert counts(queue, id) == (1, 1, 0, 0, 0, 0)


def test_a_task_says_which_batch_it_joins(queue: Queue) -> None:
    id = create(queue, None)
    queue.enqueue_many({"type": "t", "batch_id": id}, {"type": "t"})
    assert counts(queue, id)[0] == 1
    with pytest.raises(psycopg.Error, match="there is no batch"):
        queue.enqueue_many({"type": "t", "batch_id": "00000000-0000-7000-8000-000000000000"})


def test_a_retried_task_takes_the_end_of_its_batch_back(queue: Queue) -> None:
    worker = queue.worker()
    id = create(queue, 2, **CALLBACKS)
    first, last = queue.claim(worker)
    queue.finish(first, "failed", retry=False)
    queue.finish(last)
    assert look(queue, id)["status"] == "failed"

    queue.retry(first["task_id"])
    assert look(queue, id)["status"] == "running"
    assert counts(queue, id) == (2, 1, 0, 1, 0, 0)
    assert queue.broken_rules() == []

    (again,) = [x for x in queue.claim(worker) if x["task_id"] == first["task_id"]]
    queue.finish(again)
    assert look(queue, id)["status"] == "completed"
    assert called(queue) == {"on_success": 1, "on_failure": 1, "on_complete": 1}, "each once"
    assert queue.broken_rules() == []


def test_a_retried_task_whose_batch_was_pruned_leaves_no_counts_behind(queue: Queue) -> None:
    id = create(queue, 1)
    (lease,) = queue.claim(queue.worker())
    queue.finish(lease, "failed", retry=False)
    queue.rows("delete from pgqueue_private.batch_delta")
    queue.rows("delete from pgqueue_private.batch where id = %s", id)  # what prune_batches() does
    assert queue.retry(lease["task_id"]) == "queued"
    assert queue.count("batch_delta") == 0
    # or check() would miss the batch
    queue.rows("update pgqueue_private.task set batch_id = null")


def test_a_retry_and_the_last_end_take_turns(queue: Queue) -> None:
    worker = queue.worker()
    id = create(queue, 2, **CALLBACKS)
    first, last = queue.claim(worker)
    queue.finish(first, "failed", retry=False)
    with queue.holding() as other:
        other.retry(first["task_id"])
        waiting = queue.blocked(lambda q: q.finish(last))
    waiting.result(45)
    assert look(queue, id)["status"] == "running"
    assert called(queue)["on_complete"] == 0
    assert queue.broken_rules() == []


def test_a_crash_that_ends_a_task_counts_as_failed(queue: Queue) -> None:
    id = create(queue, 1, **CALLBACKS)
    for _ in range(3):
        worker = queue.worker()
        queue.claim(worker)
        queue.rescue(worker)
    assert counts(queue, id) == (1, 0, 0, 0, 1, 0)
    assert called(queue)["on_failure"] == 1
    assert queue.broken_rules() == []


def test_an_expired_task_counts_as_cancelled(queue: Queue) -> None:
    id = create(queue, [{"type": "t", "expires_in_s": 5}], **CALLBACKS)
    queue.shift_clock(10)
    queue.value("select pgqueue_private.expire(100)")
    assert counts(queue, id) == (1, 0, 0, 0, 0, 1)
    assert called(queue)["on_failure"] == 1


def test_a_batch_ends_after_the_batches_in_it(queue: Queue) -> None:
    worker = queue.worker()
    outer = create(queue, 1, open=True, **CALLBACKS)
    inner = create(queue, 1, parent_id=outer)
    assert close(queue, outer) == "running"
    own, nested = queue.claim(worker)
    queue.finish(own)
    assert (look(queue, outer)["status"], look(queue, outer)["percent"]) == ("running", 50)
    queue.finish(nested)
    assert look(queue, inner)["status"] == look(queue, outer)["status"] == "completed"
    assert called(queue) == {"on_success": 1, "on_failure": 0, "on_complete": 1}
    assert queue.broken_rules() == []


def test_a_failure_in_a_nested_batch_is_one_of_all_above(queue: Queue) -> None:
    worker = queue.worker()
    top = create(queue, None, **CALLBACKS)
    middle = create(queue, None, parent_id=top)
    create(queue, 1, parent_id=middle)
    close(queue, middle)
    close(queue, top)
    (lease,) = queue.claim(worker)
    queue.finish(lease, "failed", retry=False)
    assert look(queue, top)["status"] == look(queue, middle)["status"] == "failed"
    queue.retry(lease["task_id"])
    assert look(queue, top)["status"] == "running"
    assert queue.broken_rules() == []
    (again,) = [x for x in queue.claim(worker) if x["task_id"] == lease["task_id"]]
    queue.finish(again)
    assert look(queue, top)["status"] == "completed"
    assert called(queue) == {"on_success": 1, "on_failure": 1, "on_complete": 1}
    assert queue.broken_rules() == []


def test_two_nested_batches_that_end_at_once_end_the_outer_once(queue: Queue) -> None:
    worker = queue.worker()
    outer = create(queue, None, **CALLBACKS)
    create(queue, 1, parent_id=outer)
    create(queue, 1, parent_id=outer)
    close(queue, outer)
    first, last = queue.claim(worker)
    with queue.holding() as other:
        other.finish(first)
        waiting = queue.blocked(lambda q: q.finish(last))
    waiting.result(45)
    assert look(queue, outer)["status"] == "completed"
    assert called(queue) == {"on_success": 1, "on_failure": 0, "on_complete": 1}


def test_folding_changes_no_count(queue: Queue) -> None:
    worker = queue.worker()
    id = create(queue, 3, open=True)
    first, second, _ = queue.claim(worker)
    queue.finish(first)
    queue.finish(second, "failed", retry=False)
    before = counts(queue, id)
    assert queue.value("select pgqueue_private.fold_batches()") == 3
    assert counts(queue, id) == before == (3, 0, 1, 1, 1, 0)
    assert queue.count("batch_delta") == 0
    assert queue.row("select total, completed from pgqueue_private.batch") == {
        "total": 3,
        "completed": 1,
    }


def test_an_end_that_nobody_saw_is_found_by_the_next_fold(queue: Queue) -> None:
    """Those who leave the door to others, with thousands left, may all do so."""
    worker = queue.worker()
    id = create(queue, 1, **CALLBACKS)
    (lease,) = queue.claim(worker)
    with queue.connection.transaction():
        # as if more were left than those who leave the door to others leave
        queue.rows("update pgqueue_private.batch set total = total + 60000")
        queue.finish(lease)
        queue.rows("update pgqueue_private.batch set total = total - 60000")
    assert look(queue, id)["status"] == "running"
    assert queue.value("select pgqueue_private.fold_batches()") == 2
    assert look(queue, id)["status"] == "completed"
    assert called(queue) == {"on_success": 1, "on_failure": 0, "on_complete": 1}
    assert queue.broken_rules() == []


@pytest.mark.parametrize(
    ("callback", "why"),
    [
        ({"payload": {}}, "it has no type"),
        ({"type": "t", "priority": 11}, "out of range"),
        ({"type": "t", "depends_on": [0]}, "cannot have"),
        ([], "it has no type"),
    ],
)
def test_a_callback_that_could_not_be_enqueued_is_refused_at_once(
    queue: Queue, callback: Any, why: str
) -> None:
    with pytest.raises(psycopg.Error, match=why) as refused:
        create(queue, 1, on_success=callback)
    assert refused.value.sqlstate == "PQ004"
    assert queue.count("task") == queue.count("batch") == 0


def test_trying_a_callback_stores_nothing(queue: Queue) -> None:
    create(queue, 1, **CALLBACKS)
    assert queue.count("task") == queue.count("ready") == 1


def test_a_callback_that_cannot_be_enqueued_in_the_end_holds_up_nobody(queue: Queue) -> None:
    worker = queue.worker()
    id = create(queue, 1, **CALLBACKS)
    queue.rows("""update pgqueue_private.batch set on_success = '{"type": "t", "priority": 99}'""")
    queue.finish(queue.claim(worker)[0])
    assert look(queue, id)["status"] == "completed"
    assert called(queue) == {"on_success": 0, "on_failure": 0, "on_complete": 1}
    assert queue.value("select kind from pgqueue.notices") == "callback_not_enqueued"


def run_operations(queue: Queue) -> None:
    while queue.value("select operation_id is not null from pgqueue_private.run_operations()"):
        pass


@pytest.mark.usefixtures("running_clock")
def test_a_whole_batch_is_cancelled_and_the_batches_in_it(queue: Queue) -> None:
    worker = queue.worker()
    outer = create(queue, 3, open=True, **CALLBACKS)
    inner = create(queue, 3, parent_id=outer, open=True)
    other = create(queue, 1)
    running = queue.claim(worker, 1)[0]
    id = queue.value("select pgqueue.cancel_batch(%s, 'no need')", outer)
    assert look(queue, inner)["closed_at"] is not None
    run_operations(queue)
    operation = queue.row("select * from pgqueue.operations where id = %s", id)
    assert (operation["state"], operation["matched"], operation["done"]) == ("completed", 6, 6)
    assert look(queue, inner)["status"] == "cancelled"
    assert counts(queue, outer) == (3, 0, 1, 0, 0, 2), "one was asked to stop"
    queue.finish(running)
    assert look(queue, outer)["status"] == "failed", "for the batch in it did not complete"
    assert look(queue, other)["status"] == "running"
    assert called(queue) == {"on_success": 0, "on_failure": 1, "on_complete": 1}
    assert queue.broken_rules() == []


def test_a_cancel_of_a_batch_waits_for_what_is_being_added_and_cancels_it(queue: Queue) -> None:
    id = create(queue, 1, open=True)
    with queue.holding() as session:
        add(session, id)
        cancelling = queue.blocked(lambda q: q.value("select pgqueue.cancel_batch(%s)::text", id))
        add(session, id)
    cancelling.result(45)
    run_operations(queue)
    operation = queue.row("select matched, done from pgqueue.operations")
    assert operation == {"matched": 3, "done": 3}
    assert counts(queue, id) == (3, 0, 0, 0, 0, 3)


def test_what_failed_in_a_batch_is_run_again_once(queue: Queue) -> None:
    worker = queue.worker()
    id = create(queue, 4)
    leases = queue.claim(worker)
    for lease in leases[:2]:
        queue.finish(lease, "failed", retry=False)
    queue.finish(leases[2])
    queue.finish(leases[3], "cancelled")
    queue.value("select pgqueue.retry_batch(%s)", id)
    run_operations(queue)
    assert counts(queue, id) == (4, 2, 0, 1, 0, 1)
    assert queue.claimed(worker) == [lease["task_id"] for lease in leases[:2]]
    assert queue.broken_rules() == []


def test_there_is_nothing_to_do_to_a_batch_that_there_is_not(queue: Queue) -> None:
    nobody = "00000000-0000-7000-8000-000000000000"
    assert close(queue, nobody) is None
    for what in ("cancel_batch", "retry_batch"):
        assert queue.value(f"select pgqueue.{what}(%s)", nobody) is None
    with pytest.raises(psycopg.Error, match="there is no batch"):
        queue.value(
            "select pgqueue.start_operation('retry', jsonb_build_object('batch_id', %s::text))",
            nobody,
        )
    with pytest.raises(psycopg.Error, match="retry needs it"):
        queue.value("select pgqueue.start_operation('retry', '{\"type\": \"t\"}')")


def test_a_batch_is_operated_on_in_parts(queue: Queue) -> None:
    id = create(queue, 25)
    queue.rows(
        "select pgqueue.start_operation('cancel', jsonb_build_object('batch_id', %s::text), 50)", id
    )
    done = []
    while queue.row("select state from pgqueue.operations")["state"] != "completed":
        done.append(queue.value("select worked from pgqueue_private.run_operations()"))
        queue.shift_clock(10 * len(done))
    assert done[:3] == [10, 10, 5]
    assert counts(queue, id) == (25, 0, 0, 0, 0, 25)


def test_the_tasks_of_a_batch_are_read_page_by_page(queue: Queue) -> None:
    worker = queue.worker()
    id = create(queue, 5)
    create(queue, 5)
    ids = queue.values(
        "select id::text from pgqueue_private.task where batch_id = %s order by id", id
    )
    pages, after = [], None
    while True:
        page = queue.row("select * from pgqueue_private.batch_tasks(%s, null, %s, 2)", id, after)
        pages.append([json.loads(item)["id"] for item in page["items"]])
        after = page["next"]
        if after is None:
            break
    assert pages == [ids[:2], ids[2:4], ids[4:]]
    queue.finish(queue.claim(worker, 1)[0])
    page = queue.row("select * from pgqueue_private.batch_tasks(%s, 'completed', null, 2)", id)
    assert [json.loads(item)["id"] for item in page["items"]] == ids[:1]
    assert page["next"] is None


def test_a_batch_is_forgotten_a_month_after_its_end(queue: Queue) -> None:
    outer = create(queue, None)
    create(queue, 0, parent_id=outer)
    queue.shift_clock(40 * 86400)
    assert queue.value("select pgqueue_private.prune_batches()") == 0, "the outer one is open"
    close(queue, outer)
    queue.shift_clock(80 * 86400)
    assert queue.value("select pgqueue_private.prune_batches()") == 1
    assert queue.value("select pgqueue_private.prune_batches()") == 1
    assert queue.count("batch") == 0
