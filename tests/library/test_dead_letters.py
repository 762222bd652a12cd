"""Dead letters and operations from Python."""

from datetime import timedelta

import pytest

from pgqueue import NotFound, OperationState, Outcome, PgQueue, Status, SyncClient, UsageError
from tests.database.queue import Queue
from tests.database.test_dead_letters import fail
from tests.database.test_operations import step


async def test_letters_are_found_latest_first_by_page_and_filter(
    app: PgQueue, queue: Queue
) -> None:
    worker = queue.worker()
    ids = [fail(queue, worker, type="ab"[n % 2]) for n in range(5)]
    letters = await app.dead_letters()
    assert [letter.id for letter in letters] == ids[::-1]
    assert (letters[0].outcome, letters[0].error["message"]) == (Outcome.FAILED, "no")
    assert [letter.id for letter in await app.dead_letters(limit=2)] == ids[:2:-1]
    rest = await app.dead_letters(before=letters[1])
    assert [letter.id for letter in rest] == ids[2::-1]
    found = await app.dead_letters(
        type="b",
        queue="default",
        fingerprint=letters[1].fingerprint,
        from_=letters[1].created_at - timedelta(hours=1),
        to=letters[1].failed_at,
    )
    assert [letter.id for letter in found] == [ids[1]]
    assert await app.dead_letters(type="none") == []
    with pytest.raises(UsageError):
        await app.dead_letters(limit=0)


async def test_a_payload_that_no_parser_takes_breaks_no_list(app: PgQueue, queue: Queue) -> None:
    worker = queue.worker()
    queue.rows("""select pgqueue.enqueue('t', '{"n": 1e4300}')""")
    (lease,) = queue.claim(worker)
    queue.finish(lease, "failed", retry=False)
    (letter,) = await app.dead_letters()
    assert isinstance(letter.payload, str)


async def test_a_redrive_gives_the_task_that_runs_now(app: PgQueue, queue: Queue) -> None:
    id = fail(queue, queue.worker())
    assert await app.redrive(id) == id
    assert (await app.get(id)).status == Status.QUEUED
    with pytest.raises(NotFound, match="no dead letter"):
        await app.redrive(id)
    with pytest.raises(UsageError):
        await app.redrive("x")


async def test_an_operation_is_previewed_started_watched_and_kept(
    app: PgQueue, queue: Queue
) -> None:
    worker = queue.worker()
    ids = [fail(queue, worker) for _ in range(3)]
    seen = await app.operations.preview("redrive", {"queue": "default"})
    assert (seen.matched, seen.matched_exact) == (3, True)
    assert [item.id for item in seen.sample] == ids
    operation = await app.operations.start(
        "redrive", {"queue": "default"}, per_second=50, reason="fixed", requested_by="ann"
    )
    assert (operation.state, operation.requested_by) == (OperationState.QUEUED, "ann")
    with pytest.raises(TimeoutError):
        await app.operations.wait(operation.id, timeout=0.01)
    step(queue)
    operation = await app.operations.wait(operation.id, timeout=45)
    assert (operation.state, operation.done) == (OperationState.COMPLETED, 3)
    other = await app.operations.start("delete", {"all": True})
    assert (await app.operations.cancel(other.id)).state == OperationState.CANCELLED
    assert [o.id for o in await app.operations.latest()] == [other.id, operation.id]
    assert await app.operations.latest(before=other.id) == [operation]


async def test_an_operation_that_cannot_be_right_is_refused(app: PgQueue) -> None:
    for kind, filter in (("redrive", {}), ("drop", {"all": True}), ("delete", {"from": "noon"})):
        with pytest.raises(UsageError):
            await app.operations.start(kind, filter)
    with pytest.raises(NotFound):
        await app.operations.get("019b2f6e-8a3c-7d12-8000-0a1b2c3d4e5f")
    with pytest.raises(UsageError):
        await app.operations.get("x")


def test_the_synchronous_client_lists_and_redrives(database: str, queue: Queue) -> None:
    id = fail(queue, queue.worker())
    with SyncClient(database) as client:
        assert [letter.id for letter in client.dead_letters(limit=5)] == [id]
        assert client.redrive(id) == id
        assert client.dead_letters() == []
