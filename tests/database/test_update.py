"""Changing the priority or the run_at of a task that waits."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.database.queue import Queue

SOON = timedelta(hours=1)


def waiting(queue: Queue, status: str) -> str:
    """A task that waits in a status, attempted before if that is retrying or requeued."""
    if status in ("retrying", "requeued"):
        lease = queue.start(queue.worker())
        delay = 3600 if status == "retrying" else 0
        queue.finish(lease, "failed", delay_s=delay)
        queue.promote()
        return lease["task_id"]
    return queue.enqueue(run_at=queue.now() + SOON if status == "scheduled" else None)


WAITING = pytest.mark.parametrize("status", ["queued", "requeued", "scheduled", "retrying"])


@WAITING
def test_a_waiting_task_gets_another_priority_for_good(queue: Queue, status: str) -> None:
    id = waiting(queue, status)
    before = queue.task(id)
    assert queue.update(id, priority=0) == before["status"]
    assert queue.task(id) == {**before, "priority": 0}
    if status in ("scheduled", "retrying"):
        queue.shift_clock(3700)
        queue.promote()
    first = queue.enqueue(priority=1)
    worker = queue.worker()
    leases = queue.claim(worker)
    assert [(lease["task_id"], lease["priority"]) for lease in leases] == [(id, 0), (first, 1)]
    queue.finish(leases[0], "failed", retry=False)
    assert queue.task(id)["priority"] == 0
    queue.retry(id)
    assert queue.claim(worker)[0]["priority"] == 0


@WAITING
def test_a_waiting_task_is_put_off(queue: Queue, status: str) -> None:
    id = waiting(queue, status)
    later = queue.now() + 2 * SOON
    shown = "retrying" if status == "retrying" else "scheduled"
    assert queue.update(id, run_at=later) == shown
    task = queue.task(id)
    assert (task["status"], task["run_at"], task["priority"]) == (shown, later, 5)
    assert queue.claim(queue.worker()) == []
    queue.shift_clock(7300)
    assert queue.promote()["moved"] == 1
    (lease,) = queue.claim(queue.worker())
    assert lease["attempt"] == (2 if status in ("requeued", "retrying") else 1)


@WAITING
def test_a_waiting_task_is_run_now(queue: Queue, status: str) -> None:
    id = waiting(queue, status)
    assert queue.update(id, run_at=queue.now() - SOON, priority=3) == "queued"
    task = queue.task(id)
    assert (task["status"], task["status_reason"], task["priority"]) == ("queued", None, 3)
    assert task["run_at"] is None or task["run_at"] < queue.now()
    (lease,) = queue.claim(queue.worker())
    assert (lease["task_id"], lease["priority"]) == (id, 3)


@WAITING
def test_a_changed_task_is_found_by_every_other_transition(queue: Queue, status: str) -> None:
    for change in (
        {"priority": 1},
        {"run_at": queue.now() + 2 * SOON},
        {"run_at": queue.now() - SOON},
    ):
        id = waiting(queue, status)
        queue.update(id, **change)
        queue.update(id, priority=9)
        live = "select pgqueue_private.live_tasks('{}', %s, %s, 10)::text[]"
        assert id in queue.value(live, str(UUID(int=0)), str(UUID(int=2**128 - 1)))
        assert queue.cancel(id) == "cancelled"
        assert queue.claim(queue.worker()) == []


def test_of_the_same_priority_a_changed_task_comes_last(queue: Queue) -> None:
    low, *others = queue.enqueue_many({"type": "t", "priority": 8}, *[{"type": "t"}] * 3)
    queue.update(low, priority=5)
    assert queue.claimed(queue.worker()) == [*others, low]


def test_a_change_to_what_it_is_already_keeps_the_place(queue: Queue) -> None:
    first, second = queue.enqueue_many({"type": "t"}, {"type": "t"})
    assert queue.update(first, priority=5) == "queued"
    assert queue.update(first) == "queued"
    assert queue.claimed(queue.worker()) == [first, second]


def test_a_changed_task_is_ahead_of_every_claims_cursor(queue: Queue) -> None:
    old = queue.enqueue(priority=8)
    queue.enqueue(priority=2)
    worker = queue.worker()
    (lease,) = queue.claim(worker, 1)
    queue.update(old, priority=2)
    assert queue.claimed(worker, cursors={("default", 2): lease["seq"]}) == [old]


@pytest.mark.parametrize("status", ["active", "completed", "failed", "cancelled"])
def test_a_task_that_does_not_wait_stays_as_it_is(queue: Queue, status: str) -> None:
    lease = queue.start(queue.worker())
    id = lease["task_id"]
    if status != "active":
        queue.finish(lease, status, retry=False)
    before = queue.task(id)
    with pytest.raises(psycopg.Error, match=f"is {status}") as caught:
        queue.update(id, priority=0, run_at=queue.now() + SOON)
    assert caught.value.sqlstate == "PQ003"
    assert queue.task(id) == before


def test_an_unknown_task_is_none(queue: Queue) -> None:
    assert queue.update("00000000-0000-7000-8000-000000000000", priority=0) is None


@pytest.mark.parametrize(
    "changes",
    [{"priority": 11}, {"priority": -1}, {"run_at": "infinity"}, {"run_at": "1960-01-01"}],
)
def test_a_value_out_of_range_is_refused(queue: Queue, changes: dict[str, Any]) -> None:
    id = queue.enqueue()
    with pytest.raises(psycopg.Error) as caught:
        queue.update(id, **changes)
    assert caught.value.sqlstate == "PQ004"


def etag(queue: Queue, id: str) -> str:
    return queue.value("select etag from pgqueue_private.task_states(array[%s]::uuid[])", id)


@WAITING
def test_a_change_that_names_an_older_state_is_refused(queue: Queue, status: str) -> None:
    id = waiting(queue, status)
    known = etag(queue, id)
    assert etag(queue, id) == known
    assert queue.update(id, priority=1, if_match=["another", known])
    with pytest.raises(psycopg.Error) as caught:
        queue.update(id, priority=2, if_match=[known])
    assert caught.value.sqlstate == "PQ005"
    assert queue.task(id)["priority"] == 1
    assert queue.update(id, priority=2, if_match=[etag(queue, id)])


def test_an_etag_does_not_outlive_an_attempt(queue: Queue) -> None:
    id = queue.enqueue()
    known = etag(queue, id)
    (lease,) = queue.claim(queue.worker())
    queue.finish(lease, "released")
    assert queue.status(id) == "queued"
    with pytest.raises(psycopg.Error) as caught:
        queue.update(id, priority=1, if_match=[known])
    assert caught.value.sqlstate == "PQ005"


def test_of_two_changes_that_name_the_same_state_one_holds(queue: Queue) -> None:
    id = queue.enqueue()
    known = [etag(queue, id)]
    with queue.holding() as other:
        other.update(id, priority=1, if_match=known)
        late = queue.blocked(lambda q: q.update(id, priority=2, if_match=known))
    assert late.exception(20).sqlstate == "PQ005"
    assert queue.task(id)["priority"] == 1


def test_a_change_loses_against_the_claim_that_comes_first(queue: Queue) -> None:
    id = queue.enqueue()
    with queue.holding() as claimer:
        assert claimer.claimed(queue.worker()) == [id]
        late = queue.blocked(lambda q: q.update(id, run_at=q.now() + SOON))
    assert late.exception(20).sqlstate == "PQ003"
    assert queue.task(id)["run_at"] is None


def test_a_claim_passes_over_a_task_that_is_being_changed(queue: Queue) -> None:
    id = queue.enqueue()
    worker = queue.worker()
    with queue.holding() as writer:
        writer.update(id, priority=0)
        assert queue.claim(worker) == []
    (lease,) = queue.claim(worker)
    assert lease["priority"] == 0


@pytest.mark.usefixtures("running_clock")
def test_a_change_finds_a_task_that_was_promoted_meanwhile(queue: Queue) -> None:
    id = queue.enqueue(run_at=queue.now() + SOON)
    queue.shift_clock(3700)
    with queue.holding() as other:
        other.promote()
        late = queue.blocked(lambda q: q.update(id, priority=0))
    assert late.result(45) == "queued"
    (lease,) = queue.claim(queue.worker())
    assert (lease["task_id"], lease["priority"]) == (id, 0)


def test_a_cancel_finds_a_task_that_was_changed_meanwhile(queue: Queue) -> None:
    id = queue.enqueue()
    with queue.holding() as other:
        other.update(id, priority=0)
        late = queue.blocked(lambda q: q.cancel(id))
    assert late.result(45) == "cancelled"
    assert queue.claim(queue.worker()) == []


def test_watchers_hear_of_a_change(queue: Queue) -> None:
    id = queue.enqueue()
    listener = queue.connect(session=True)
    listener.execute("listen pgqueue_event")
    queue.value("select pgqueue_private.listen('test', 'pgqueue_event', 60)::text")

    def version() -> str:
        watched = f'[{{"id": "{id}", "version": "", "lease_id": 0, "seq": 0}}]'
        return queue.value("select version from pgqueue_private.task_changes(%s)", watched)

    seen = [version()]
    changes = [
        lambda: queue.update(id, priority=0),
        lambda: queue.update(id, run_at=queue.now() + SOON),
        lambda: queue.value("select pgqueue_private.change_task(%s, payload => '[1]')::text", id),
    ]
    for change in changes:
        change()
        (heard,) = listener.notifies(timeout=45, stop_after=1)
        assert heard.payload == id
        seen.append(version())
    assert len({*seen}) == 4


@pytest.mark.usefixtures("running_clock")
def test_the_doorbell_rings_for_a_task_that_is_run_now(queue: Queue) -> None:
    id = queue.enqueue(run_at=queue.now() + SOON, queue="mail")
    listener = queue.connect(session=True)
    listener.execute("listen pgqueue_ready")
    queue.value("select pgqueue_private.listen('test', 'pgqueue_ready', 60)::text")
    queue.update(id, run_at=queue.now() - SOON)
    (heard,) = listener.notifies(timeout=45, stop_after=1)
    assert heard.payload == "mail"


@pytest.mark.usefixtures("running_clock")
def test_a_blocked_task_gets_another_priority_but_waits_for_no_time(queue: Queue) -> None:
    id = queue.enqueue(run_at=queue.now() + SOON)
    queue.rows("update pgqueue_private.task set run_at = null returning id")
    queue.rows(
        "update pgqueue_private.delayed "
        "set status = 'blocked', run_at = 'infinity' returning task_id"
    )
    assert queue.update(id, priority=0) == "blocked"
    with pytest.raises(psycopg.Error, match="is blocked"):
        queue.update(id, run_at=queue.now() - SOON)
    assert queue.promote() == {"moved": 0, "queues": None, "next_due_s": None}
    task = queue.task(id)
    assert (task["status"], task["status_reason"], task["run_at"], task["priority"]) == (
        "blocked",
        "waits for others",
        None,
        0,
    )
    assert queue.cancel(id) == "cancelled"
