"""PgQueue as a client: enqueue, get, cancel, retry."""

import asyncio
import contextlib
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel

from pgqueue import (
    Conflict,
    Context,
    DatabaseUnavailable,
    NewTask,
    NotFound,
    PayloadError,
    PgQueue,
    SchemaMismatch,
    Status,
    Task,
    UsageError,
)
from tests.database.queue import Queue
from tests.servers import Server

UNKNOWN = "00000000-0000-7000-8000-000000000000"


class Receipt(BaseModel):
    order: int
    day: str = "today"


async def test_an_enqueued_task_is_there_as_it_was_given(app: PgQueue) -> None:
    id = await app.enqueue(
        "send_receipt", {"order": 7}, queue="email", priority="high", max_attempts=5, timeout=30
    )
    task = await app.get(id)
    assert isinstance(task, Task)
    assert (task.id, task.type, task.queue) == (id, "send_receipt", "email")
    assert (task.payload, task.priority, task.status) == ({"order": 7}, 2, Status.QUEUED)
    assert (task.max_attempts, task.timeout_s, task.attempt) == (5, 30, 0)
    assert task.created_at.tzinfo is not None


async def test_a_task_of_the_future_is_scheduled(app: PgQueue) -> None:
    at = datetime.now(UTC) + timedelta(days=1)
    one = await app.get(await app.enqueue("t", run_at=at))
    other = await app.get(await app.enqueue("t", delay=timedelta(hours=1)))
    assert one.status == other.status == Status.SCHEDULED
    assert one.run_at == at
    assert other.run_at is not None
    assert abs(other.run_at - other.created_at - timedelta(hours=1)) < timedelta(seconds=1)


async def test_many_tasks_get_their_ids_in_the_order_given(app: PgQueue, queue: Queue) -> None:
    ids = await app.enqueue_many(
        [NewTask("a", 1), {"type": "b", "payload": 2}, NewTask("c", delay=60)]
    )
    assert [(await app.get(id)).type for id in ids] == ["a", "b", "c"]
    assert await app.enqueue_many([]) == []


async def test_more_tasks_than_one_statement_takes_are_stored_all_or_none(
    app: PgQueue, queue: Queue
) -> None:
    ids = await app.enqueue_many({"type": "t", "payload": n} for n in range(11_000))
    assert len(set(ids)) == 11_000
    assert ids == sorted(ids)
    with pytest.raises(UsageError):
        await app.enqueue_many([NewTask("t")] * 10_999 + [NewTask("t" * 101)])
    assert queue.count("task") == 11_000


async def test_a_declared_type_gives_defaults_and_checks_payloads(app: PgQueue) -> None:
    @app.task("mail", queue="email", max_attempts=9)
    async def mail(ctx: Context, payload: Receipt) -> None: ...

    task = await app.get(await app.enqueue("mail", {"order": 1}))
    assert (task.queue, task.max_attempts) == ("email", 9)
    model = await app.get(await app.enqueue("mail", Receipt(order=2), queue="other"))
    assert (model.queue, model.payload) == ("other", {"order": 2, "day": "today"})
    with pytest.raises(PayloadError) as caught:
        await app.enqueue("mail", {"order": "x"})
    assert caught.value.errors[0]["pointer"] == "/payload/order"


@pytest.mark.parametrize(
    "options",
    [
        {"priority": "urgent"},
        {"priority": 11},
        {"max_attempts": 0},
        {"max_attempts": 1001},
        {"max_attempts": 10**6},
        {"timeout": 0},
        {"timeout": 1e30},
        {"queue": ""},
        {"queue": "q" * 101},
        {"queue": "a\0b"},
        {"delay": 1e300},
        {"delay": timedelta.max},
        {"run_at": datetime.max.replace(tzinfo=UTC)},
        {"payload": "x" * 300_000},
        {"payload": "a\0b"},
        {"payload": 2**70},
    ],
    ids=lambda options: str(options)[:100],
)
async def test_what_cannot_be_a_task_is_a_usage_error(
    app: PgQueue, queue: Queue, options: dict
) -> None:
    with pytest.raises(UsageError) as caught:
        await app.enqueue("t", **options)
    assert len(str(caught.value)) < 300
    assert queue.count("task") == 0


async def test_the_value_that_is_out_of_range_is_named(app: PgQueue) -> None:
    tasks = [NewTask("t"), NewTask("t", limit_key="k" * 256), NewTask("t", queue="q" * 200)]
    with pytest.raises(UsageError, match=r"limit_key of task 1 is out of range: .*1 to 255"):
        await app.enqueue_many(tasks)


async def test_a_bound_of_the_schema_is_explained(app: PgQueue) -> None:
    with pytest.raises(UsageError, match="256 KiB and 64 levels"):
        await app.enqueue("t", "x" * 300_000)


async def test_an_enqueue_rings_idle_workers(app: PgQueue, queue: Queue) -> None:
    queue.rows("select pgqueue_private.listen('worker', 'pgqueue_ready', 30)")
    queue.rows("listen pgqueue_ready")
    await app.enqueue_many([NewTask("t", queue="b"), NewTask("t", queue="a")])
    rings = queue.connection.notifies(timeout=45, stop_after=1)
    (notice,) = await asyncio.to_thread(list, rings)
    assert notice.payload == "a,b"


async def test_an_ended_task_tells_its_result_and_progress(app: PgQueue, queue: Queue) -> None:
    id = await app.enqueue("t")
    (lease,) = queue.claim(queue.worker())
    queue.progress({"task_id": id, "lease_id": lease["lease_id"], "percent": 40, "message": "rows"})
    active = await app.get(id)
    assert active.status == Status.ACTIVE
    assert active.progress is not None
    assert (active.progress.percent, active.progress.message) == (40, "rows")
    queue.finish(lease, result={"sum": 3})
    done = await app.get(uuid.UUID(id))
    assert (done.status, done.result, done.error) == (Status.COMPLETED, {"sum": 3}, None)
    assert done.started_at is not None
    assert done.finished_at is not None
    assert done.finished_at >= done.started_at >= done.created_at


async def test_a_task_can_be_cancelled_and_retried(app: PgQueue, queue: Queue) -> None:
    id = await app.enqueue("t")
    assert await app.cancel(id, "not needed") == Status.CANCELLED
    assert (await app.get(id)).status_reason == "not needed"
    assert await app.cancel(id) == Status.CANCELLED
    assert await app.retry(id) == Status.QUEUED
    with pytest.raises(Conflict) as caught:
        await app.retry(id)
    assert "queued" in caught.value.message
    assert queue.claimed(queue.worker()) == [id]
    assert await app.cancel(id) == Status.ACTIVE


async def test_an_unknown_task_is_not_found(app: PgQueue) -> None:
    for call in (app.get, app.cancel, app.retry, app.wait):
        with pytest.raises(NotFound, match="there is no task"):
            await call(UNKNOWN)


@pytest.mark.parametrize("id", ["7", "", "'; drop table task", None, 7])
async def test_what_is_no_id_is_a_usage_error(app: PgQueue, id: object) -> None:
    for call in (app.get, app.cancel, app.retry, app.wait):
        with pytest.raises(UsageError, match="is not the id of a task"):
            await call(id)


async def test_a_reason_that_cannot_be_stored_is_a_usage_error(app: PgQueue) -> None:
    id = await app.enqueue("t")
    with pytest.raises(UsageError):
        await app.cancel(id, "a\0b")
    assert (await app.get(id)).status == Status.QUEUED


async def test_many_calls_at_once_share_the_connections(app: PgQueue) -> None:
    ids = await asyncio.gather(*[app.enqueue("t", n) for n in range(60)])
    tasks = await asyncio.gather(*map(app.get, ids))
    assert sorted(task.payload for task in tasks) == [*range(60)]


async def test_a_client_connects_on_first_use_and_again_after_close(database: str) -> None:
    app = PgQueue(database)
    id = await app.enqueue("t")
    await app.close()
    assert (await app.get(id)).id == id
    await app.close()
    await app.close()


async def test_a_client_survives_the_end_of_its_session(app: PgQueue, queue: Queue) -> None:
    id = await app.enqueue("t")
    cut = """select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity
             where application_name = 'pgqueue client' and datname = current_database()"""
    assert queue.value(cut) >= 1
    task = None
    while task is None:  # a call that meets the cut says so, and a later one goes through
        with contextlib.suppress(DatabaseUnavailable):
            task = await app.get(id)
    assert task.id == id


async def test_a_database_that_is_not_there_is_unavailable() -> None:
    app = PgQueue("host=127.0.0.1 port=1 user=nobody dbname=none")
    with pytest.raises(DatabaseUnavailable) as caught:
        await app.enqueue("t")
    assert caught.value.hint
    await app.close()


async def test_a_database_without_the_schema_says_what_to_do(server: Server) -> None:
    name = server.create()
    async with PgQueue(server.dsn(name)) as app:
        with pytest.raises(SchemaMismatch) as caught:
            await app.enqueue("t")
    assert caught.value.hint == "run `pgqueue migrate`"
    server.drop(name)


async def test_without_a_database_the_error_says_how_to_name_one() -> None:
    with pytest.raises(UsageError) as caught:
        await PgQueue().enqueue("t")
    assert "PGQUEUE_DATABASE_URL" in str(caught.value.hint)


async def test_the_address_may_come_from_the_environment(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGQUEUE_DATABASE_URL", database)
    async with PgQueue() as app:
        assert (await app.get(await app.enqueue("t"))).type == "t"
