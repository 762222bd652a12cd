"""Batches and tasks that wait for each other, by the library."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from pgqueue import (
    BatchStatus,
    Conflict,
    Context,
    Dependency,
    NewTask,
    NotFound,
    PgQueue,
    Status,
    SyncClient,
    UsageError,
    chain,
    chord,
    group,
)
from pgqueue.testing import drain


@pytest.fixture
def app(pgqueue_app: PgQueue) -> PgQueue:
    @pgqueue_app.task("echo")
    async def echo(ctx: Context, payload: Any) -> Any:
        return payload

    return pgqueue_app


def edges(flow: list[NewTask] | Any) -> list[list[int]]:
    return [[d.task for d in task.options.get("depends_on", ())] for task in flow]


def test_a_chain_waits_step_by_step() -> None:
    flow = chain({"type": "a"}, NewTask("b"), NewTask("c"), on_failure="run")
    assert [task.type for task in flow] == ["a", "b", "c"]
    assert edges(flow) == [[], [0], [1]]
    assert flow[1].options["depends_on"] == [Dependency(0, "run")]


def test_a_chord_waits_for_all_of_its_group() -> None:
    flow = chord([NewTask("a"), NewTask("b"), NewTask("c")], NewTask("d"))
    assert edges(flow) == [[], [], [], [0, 1, 2]]


def test_shapes_hold_shapes() -> None:
    fetch = chain(NewTask("fetch"), NewTask("parse"))
    flow = chain(NewTask("plan"), group(fetch, fetch), NewTask("sum"), NewTask("mail"))
    assert [task.type for task in flow] == [
        "plan", "fetch", "parse", "fetch", "parse", "sum", "mail",
    ]  # fmt: skip
    assert edges(flow) == [[], [0], [1], [0], [3], [2, 4], [5]]
    assert (flow.starts, flow.ends) == ((0,), (6,))
    assert edges(group(flow, NewTask("x")))[:7] == edges(flow)
    assert len(chain()) == len(group()) == 0
    assert edges(chain(group(), NewTask("a"), group(), NewTask("b"))) == [[], [0]]


def test_a_step_may_wait_for_a_task_of_its_own_by_id() -> None:
    flow = chain(NewTask("a"), NewTask("b", depends_on=["some-id"]))
    assert flow[1].options["depends_on"] == ["some-id", Dependency(0)]
    with pytest.raises(UsageError, match="by its place"):
        chain(NewTask("a"), NewTask("b", depends_on=[0]))


async def test_a_task_sees_what_its_parents_came_to(app: PgQueue) -> None:
    seen = {}

    @app.task("sum")
    async def add(ctx: Context) -> int:
        seen["async"] = await ctx.parents
        return sum(parent.result or 0 for parent in seen["async"])

    @app.task("sum_in_thread")
    def add_in_thread(ctx: Context) -> int:
        seen["thread"] = ctx.parents
        return sum(parent.result or 0 for parent in seen["thread"])

    @app.task("bad", max_attempts=1)
    async def bad(ctx: Context) -> None:
        raise ValueError

    numbers = [NewTask("echo", 1), NewTask("bad"), NewTask("echo", 3)]
    for kind in ("sum", "sum_in_thread"):
        ids = await app.enqueue_many(chord(numbers, NewTask(kind), on_failure="run"))
        assert (await app.get(ids[-1])).status == Status.BLOCKED
        await drain(app)
        assert (await app.get(ids[-1])).result == 4
        parents = seen["async" if kind == "sum" else "thread"]
        assert [parent.id for parent in parents] == ids[:3]
        assert [parent.status for parent in parents] == ["completed", "failed", "completed"]
        assert parents[1].error["type"] == "ValueError"


async def test_a_task_without_parents_has_none(app: PgQueue) -> None:
    @app.task("alone")
    async def alone(ctx: Context) -> int:
        assert ctx.batch_id is None
        return len(await ctx.parents)

    id = await app.enqueue("alone")
    await drain(app)
    assert (await app.get(id)).result == 0


async def test_one_task_waits_for_another_by_its_id(app: PgQueue) -> None:
    first = await app.enqueue("echo", 1)
    second = await app.enqueue("echo", 2, depends_on=[Dependency(first, "fail")])
    assert (await app.get(second)).status_reason == "waits for a task"
    await app.cancel(first)
    assert (await app.get(second)).status == Status.FAILED
    with pytest.raises(UsageError, match="does not exist"):
        await app.enqueue("echo", depends_on=["00000000-0000-7000-8000-000000000000"])
    with pytest.raises(UsageError, match="0 → 1 → 0"):
        await app.enqueue_many(
            [{"type": "echo", "depends_on": [1]}, {"type": "echo", "depends_on": [0]}]
        )
    with pytest.raises(UsageError, match="is a text"):
        await app.enqueue("echo", depends_on=first)


async def test_a_batch_is_filled_in_a_block_and_waited_for(app: PgQueue) -> None:
    async with app.batch("invoices", metadata={"month": 11}, on_success=NewTask("echo")) as batch:
        id = await batch.enqueue("echo", 1, priority="high")
        await batch.enqueue_many([NewTask("echo", 2), {"type": "echo", "payload": 3}])
        assert (await batch.get()).status == BatchStatus.OPEN
    waiting = asyncio.create_task(batch.wait(45))
    await drain(app)
    ended = await waiting
    assert (ended.status, ended.total, ended.completed) == ("completed", 3, 3)
    assert ended.metadata == {"month": 11}
    assert (await app.get(id)).batch_id == batch.id
    called = await app.get(ended.success_task_id or "")
    assert called.payload["batch_id"] == batch.id
    assert (await app.get_batch(batch.id)) == ended
    with pytest.raises(Conflict, match="is closed"):
        await app.enqueue("echo", batch_id=batch.id)
    with pytest.raises(NotFound):
        await app.get_batch("00000000-0000-7000-8000-000000000000")


async def test_a_block_that_raises_cancels_its_batch(app: PgQueue) -> None:
    batch = app.batch("half")
    with suppress(ZeroDivisionError):
        async with batch:
            await batch.enqueue("echo")
            raise ZeroDivisionError
    assert (await batch.get()).cancelled_at is not None
    (operation,) = await app.operations.latest()
    assert operation.kind == "cancel"
    assert operation.filter == {"batch_id": batch.id}


async def test_a_handler_adds_tasks_to_its_open_batch(app: PgQueue) -> None:
    @app.task("split")
    async def split(ctx: Context, n: int) -> None:
        await app.enqueue_many([NewTask("echo", k, batch_id=ctx.batch_id) for k in range(n)])

    made = await app.batches.create("parts", [NewTask("split", 3)], open=True)
    await drain(app)
    await app.batches.close(made.id)
    batch = await app.get_batch(made.id)
    assert (batch.total, batch.completed, batch.status) == (4, 4, "completed")


async def test_what_failed_in_a_batch_is_run_again(app: PgQueue) -> None:
    @app.task("bad", max_attempts=1)
    async def bad(ctx: Context) -> None:
        raise ValueError

    batch = await app.batches.create("b", [NewTask("bad")])
    await drain(app)
    assert (await app.get_batch(batch.id)).status == BatchStatus.FAILED
    operation = await app.operations.get(await app.batches.retry(batch.id))
    assert (operation.kind, operation.matched) == ("retry", 1)
    assert [one.id for one in await app.batches.latest()] == [batch.id]
    with pytest.raises(NotFound):
        await app.batches.cancel("00000000-0000-7000-8000-000000000000")


def test_plain_functions_have_batches_too(database: str) -> None:
    with SyncClient(database) as client:
        with client.batch("b") as batch:
            batch.enqueue("t")
            batch.enqueue_many([NewTask("t"), NewTask("t")])
        assert client.get_batch(batch.id).total == 3
        with pytest.raises(TimeoutError):
            batch.wait(0.05)
        empty = client.batches.create("e", [])
        assert client.batches.wait(empty.id).status == "completed"
