"""Uniqueness, and changes to what waits, through the library."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from pgqueue import Conflict, Duplicate, NewTask, NotFound, PgQueue, SyncClient, UsageError
from tests.database.queue import Queue


async def test_a_task_with_a_key_is_enqueued_once(app: PgQueue, queue: Queue) -> None:
    first = await app.enqueue_unique("sync", {"n": 1}, dedup_key="customer-7")
    again = await app.enqueue_unique("sync", {"n": 2}, dedup_key="customer-7")
    assert not first.deduplicated
    assert again == (first.id, True)
    assert await app.enqueue("sync", dedup_key="customer-7") == first.id
    assert (await app.get(first.id)).dedup_key == "customer-7"
    assert queue.count("task") == 1


async def test_32_calls_at_once_make_one_task(app: PgQueue, queue: Queue) -> None:
    ids = await asyncio.gather(*(app.enqueue("sync", dedup_key="k") for _ in range(32)))
    assert len({*ids}) == queue.count("task") == 1


async def test_reject_raises_duplicate_with_the_others_id(app: PgQueue, queue: Queue) -> None:
    id = await app.enqueue("sync", dedup_key="k")
    for call in (
        app.enqueue("sync", dedup_key="k", on_conflict="reject"),
        app.enqueue_many([NewTask("sync"), NewTask("sync", dedup_key="k", on_conflict="reject")]),
    ):
        with pytest.raises(Duplicate) as caught:
            await call
        assert isinstance(caught.value, Conflict)
        assert caught.value.task_id == id
    assert queue.count("task") == 1


async def test_every_word_reaches_the_database(app: PgQueue, queue: Queue) -> None:
    window = timedelta(hours=1)
    id = await app.enqueue("sync", queue="q", dedup_key="k", dedup_scope="queue")
    await app.cancel(id)
    words = {"queue": "q", "dedup_key": "k", "dedup_scope": "queue"}
    again = await app.enqueue_unique("other", **words, dedup_statuses=("cancelled",))
    assert again == (id, True)
    assert await app.enqueue_unique("other", **words, dedup_window=window) != (id, True)
    late = await app.enqueue_unique("sync", {"v": 1}, dedup_key="d", delay=60)
    moved = await app.enqueue_unique(
        "sync", {"v": 2}, dedup_key="d", delay=window, on_conflict="debounce"
    )
    assert moved == (late.id, True)
    task = await app.get(late.id)
    assert task.payload == {"v": 2}
    assert task.run_at is not None
    assert task.run_at > datetime.now(UTC) + window / 2


async def test_many_tasks_some_with_keys_keep_their_order(app: PgQueue, queue: Queue) -> None:
    tasks = [NewTask("sync", {"n": n}, dedup_key=str(n // 2) if n % 3 else None) for n in range(9)]
    ids = await app.enqueue_many(tasks)
    assert len(ids) == 9
    assert ids[4] == ids[5]
    payloads = queue.values("select (payload ->> 'n')::int from pgqueue_private.task order by seq")
    assert payloads == sorted(payloads)
    assert [queue.task(id)["payload"]["n"] for id in ids] == [0, 1, 2, 3, 4, 4, 6, 7, 8]


async def test_in_a_transaction_that_rolls_back_the_key_stays_free(
    app: PgQueue, queue: Queue, database: str
) -> None:
    async with await psycopg.AsyncConnection.connect(database) as connection:
        lost = await app.enqueue_unique("sync", dedup_key="k", connection=connection)
        assert await app.enqueue("sync", dedup_key="k", connection=connection) == lost.id
        await connection.rollback()
    one = await app.enqueue_unique("sync", dedup_key="k")
    assert not one.deduplicated
    assert queue.count("task") == 1


async def test_words_without_a_key_are_refused(app: PgQueue) -> None:
    with pytest.raises(UsageError, match="without a dedup_key"):
        await app.enqueue("sync", dedup_window=60)
    with pytest.raises(UsageError, match="1 to 255 characters"):
        await app.enqueue("sync", dedup_key="")


async def test_a_waiting_task_is_changed(app: PgQueue, queue: Queue) -> None:
    id = await app.enqueue("sync", priority="low")
    assert await app.update(id, priority="high") == "queued"
    assert (await app.get(id)).priority == 2
    assert await app.update(id, run_at=datetime.now(UTC) + timedelta(hours=1)) == "scheduled"
    assert await app.update(id, delay=60) == "scheduled"
    assert await app.update(id, delay=0) == "queued"
    assert queue.claimed(queue.worker()) == [id]
    with pytest.raises(Conflict, match="is active"):
        await app.update(id, priority=0)


async def test_a_change_that_cannot_be_right_is_refused(app: PgQueue) -> None:
    id = await app.enqueue("sync")
    with pytest.raises(UsageError, match="priority"):
        await app.update(id, priority="urgent")
    with pytest.raises(UsageError, match="no time zone"):
        await app.update(id, run_at=datetime(2030, 1, 1))  # noqa: DTZ001  that is the point
    with pytest.raises(NotFound):
        await app.update("00000000-0000-7000-8000-000000000000", priority=1)


def test_the_sync_client_does_the_same(database: str, queue: Queue) -> None:
    with SyncClient(database) as client:
        first = client.enqueue_unique("sync", dedup_key="k")
        assert client.enqueue_unique("sync", {"n": 2}, dedup_key="k") == (first.id, True)
        assert client.update(first.id, priority=1) == "queued"
        assert client.get(first.id).priority == 1
