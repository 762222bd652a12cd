"""Waiting for a task: told by a notification, and finding out without one."""

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pgqueue import PgQueue, Settings, Status, Task
from pgqueue.client import calls, watch
from tests.database.queue import Queue


async def _listening(queue: Queue, sessions: int = 1) -> None:
    """Return once the waiter listens."""
    idle = """select count(*) >= %s from pg_stat_activity
              where application_name = 'pgqueue wait' and datname = current_database()
                  and state = 'idle' and query ilike '%%pgqueue_private.listen%%'"""
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(queue.value, idle, sessions):
            pass


def _look_never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave it to notifications to end waits."""
    monkeypatch.setattr(watch, "_FIRST_LOOK_S", 3600.0)
    monkeypatch.setattr(watch, "_LOOK_S", 3600.0)


async def test_a_wait_ends_with_its_task(app: PgQueue, queue: Queue) -> None:
    id = await app.enqueue("t")
    (lease,) = queue.claim(queue.worker())
    waiting = asyncio.ensure_future(app.wait(id, timeout=45))
    await _listening(queue)
    queue.finish(lease, result=7)
    queue.value("select pgqueue_private.announce(%s::uuid[])::text", [id])
    task = await waiting
    assert (task.status, task.result) == (Status.COMPLETED, 7)


async def test_a_wait_for_an_ended_task_returns_at_once(app: PgQueue) -> None:
    id = await app.enqueue("t")
    await app.cancel(id)
    assert (await app.wait(id, timeout=45)).status == Status.CANCELLED


async def test_a_lost_notification_is_healed_by_a_look(app: PgQueue, queue: Queue) -> None:
    id = await app.enqueue("t")
    (lease,) = queue.claim(queue.worker())
    waiting = asyncio.ensure_future(app.wait(id, timeout=45))
    await _listening(queue)
    queue.finish(lease)  # and nobody announces it
    assert (await waiting).status == Status.COMPLETED


async def test_a_notification_and_not_the_next_look_ends_the_wait(
    app: PgQueue, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    _look_never(monkeypatch)
    id, other = await app.enqueue("t"), await app.enqueue("t")
    waiting = asyncio.ensure_future(app.wait(id, timeout=45))
    await _listening(queue)
    await app.cancel(other)  # which announces the other
    assert not waiting.done()
    await app.cancel(id)
    assert (await waiting).status == Status.CANCELLED


@pytest.mark.parametrize("timeout", [0.05, timedelta(milliseconds=50)])
async def test_a_wait_that_takes_too_long_leaves_the_task_alone(
    app: PgQueue, timeout: object
) -> None:
    id = await app.enqueue("t")
    with pytest.raises(TimeoutError):
        await app.wait(id, timeout=timeout)
    assert (await app.get(id)).status == Status.QUEUED


async def test_a_wait_leaves_no_listener_and_no_session_behind(app: PgQueue, queue: Queue) -> None:
    id = await app.enqueue("t")
    waiting = asyncio.ensure_future(app.wait(id))
    await _listening(queue)
    listening = (
        "select exists (select from pgqueue_private.listener where expires_at > pgqueue.clock())"
    )
    queue.until(listening)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not queue.value(listening)
    queue.until(
        """select not exists (select from pg_stat_activity
           where application_name = 'pgqueue wait' and datname = current_database())"""
    )


async def test_many_may_wait_at_once(app: PgQueue, queue: Queue) -> None:
    ids = [await app.enqueue("t", n) for n in range(10)]
    waits = [asyncio.ensure_future(app.wait(id, timeout=45)) for id in ids for _ in range(2)]
    await _listening(queue, 20)
    for id in reversed(ids):
        await app.cancel(id)
    assert [task.id for task in await asyncio.gather(*waits)] == [
        id for id in ids for _ in range(2)
    ]


async def test_a_finish_that_began_before_the_wait_and_commits_after_its_first_look_is_found(
    app: PgQueue, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_LOOK_S", 3600.0)  # the poll does not heal it
    id = await app.enqueue("t")
    (lease,) = queue.claim(queue.worker())
    looked = asyncio.Event()

    async def get(wanted: object) -> Task:
        task = await PgQueue.get(app, wanted)
        looked.set()
        return task

    monkeypatch.setattr(app, "get", get)
    with queue.holding() as finishing:
        watched = "select watched from pgqueue_private.finish(%s)"
        completed = [{**_lease(lease), "outcome": "completed"}]
        assert not finishing.value(watched, orjson.dumps(completed).decode())
        waiting = asyncio.ensure_future(app.wait(id, timeout=45))
        await looked.wait()
    assert (await waiting).status == Status.COMPLETED, "nobody was told, and nobody had to be"


async def test_a_finish_that_begins_once_the_wait_listens_tells_it(
    app: PgQueue, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    _look_never(monkeypatch)
    id = await app.enqueue("t")
    (lease,) = queue.claim(queue.worker())
    waiting = asyncio.ensure_future(app.wait(id, timeout=45))
    await _listening(queue)
    watched = "select watched from pgqueue_private.finish(%s)"
    completed = [{**_lease(lease), "outcome": "completed"}]
    assert await asyncio.to_thread(queue.value, watched, orjson.dumps(completed).decode())
    queue.value("select pgqueue_private.announce(%s::uuid[])::text", [id])
    assert (await waiting).status == Status.COMPLETED


async def test_a_notification_that_comes_during_a_look_is_not_lost(
    app: PgQueue, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    _look_never(monkeypatch)
    id = await app.enqueue("t")
    looks = []

    async def get(wanted: object) -> Task:
        task = await PgQueue.get(app, wanted)
        looks.append(task.status)
        if len(looks) == 1:
            await app.cancel(id)  # which announces it, before the wait hears
        return task

    monkeypatch.setattr(app, "get", get)
    assert (await app.wait(id, timeout=45)).status == Status.CANCELLED
    assert looks == [Status.QUEUED, Status.CANCELLED]


def _lease(claimed: dict[str, Any]) -> dict[str, Any]:
    return {"task_id": claimed["task_id"], "lease_id": claimed["lease_id"]}


async def test_a_wait_whose_sessions_are_cut_connects_again(app: PgQueue, queue: Queue) -> None:
    id = await app.enqueue("t")
    waiting = asyncio.ensure_future(app.wait(id, timeout=45))
    for _ in range(2):
        await _listening(queue)
        queue.value(
            """select count(pg_terminate_backend(pid)) from pg_stat_activity
               where application_name in ('pgqueue wait', 'pgqueue client')
                   and datname = current_database()"""
        )
    # not by the app, whose own session may be ending
    await asyncio.to_thread(queue.value, "select pgqueue.cancel(%s)", id)
    assert (await waiting).status == Status.CANCELLED


async def test_a_wait_that_cannot_connect_again_ends_with_its_timeout(
    app: PgQueue, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await app.enqueue("t")
    waiting = asyncio.ensure_future(app.wait(id, timeout=0.5))
    await _listening(queue)

    async def refused(*_args: object, **_options: object) -> None:
        raise psycopg.OperationalError

    monkeypatch.setattr(watch.Connection, "made", refused)
    queue.value(
        """select count(pg_terminate_backend(pid)) from pg_stat_activity
           where application_name = 'pgqueue wait' and datname = current_database()"""
    )
    with pytest.raises(TimeoutError):
        await waiting


async def test_a_wait_listens_past_the_pooler_where_one_is_named(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    monkeypatch.setattr(calls, "Watch", lambda dsn: used.append(dsn) or watch.Watch(dsn))
    direct = make_conninfo(database, keepalives=1)
    async with PgQueue(settings=Settings(database_url=database, listen_url=direct)) as app:
        id = await app.enqueue("t")
        await app.cancel(id)
        await app.wait(id, timeout=45)
    assert used == [direct]
