"""Retention from Python."""

from datetime import timedelta

import pytest

from pgqueue import NotFound, PgQueue, Retention, SyncClient, TaskPruned, UsageError
from tests.database.queue import Queue


async def test_retention_is_set_in_days_or_seconds(app: PgQueue) -> None:
    await app.set_queue("email", retention=Retention(tasks=timedelta(days=30), events=86_400))
    assert (await app.queue("email")).retention == {"tasks_s": 2_592_000, "events_s": 86_400}
    await app.set_queue("email", retention=Retention(dead_letters=timedelta(days=1)))
    assert (await app.queue("email")).retention == {"dead_letters_s": 86_400}
    await app.set_queue("email", max_attempts=4)
    assert (await app.queue("email")).retention == {"dead_letters_s": 86_400}
    await app.set_queue("email", retention=None)
    assert (await app.queue("email")).retention is None
    with pytest.raises(UsageError):
        await app.set_queue("email", retention=Retention(tasks=60))


def test_a_plain_function_sets_it_too(database: str) -> None:
    with SyncClient(database) as client:
        client.set_queue("email", retention=Retention(tasks=86_400))


async def test_a_pruned_task_says_so(app: PgQueue, queue: Queue) -> None:
    id = await app.enqueue("t")
    await app.cancel(id)
    queue.shift_clock(9 * 86_400)
    for day in queue.values("select * from pgqueue_private.due_days()"):
        queue.rows("select * from pgqueue_private.prune_day(%s)", day)
    for call in (app.get, app.cancel, app.retry):
        with pytest.raises(TaskPruned) as gone:
            await call(id)
        assert (gone.value.code, gone.value.status) == ("task_pruned", 410)
    with pytest.raises(TaskPruned):
        await app.update(id, priority=1)
    with pytest.raises(NotFound) as unknown:
        await app.get("00000000-0000-7000-8000-000000000000")
    assert unknown.value.code == "not_found"
