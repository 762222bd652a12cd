"""The chapter on dependencies does what it says."""

import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from pgqueue import Context, NewTask, PgQueue, chain, chord, group
from pgqueue.testing import drain
from tests.database.queue import Queue
from tests.docs.blocks import blocks
from tests.docs.calling import calling
from tests.docs.running import run

PAGE = "dependencies.md"


@pytest.fixture
def queue(connect: Callable[..., psycopg.Connection]):
    with ThreadPoolExecutor(1) as threads:
        queue = Queue(connect, threads)
        queue.rows(
            "insert into pgqueue_private.task_type (name, updated_at) values ('noop', now())"
        )
        yield queue


@pytest.fixture
async def client(database: str, queue: Queue) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(database) as client:
        yield client


async def test_the_call_does_what_it_says(client: httpx.AsyncClient) -> None:
    (tasks,) = map(json.loads, blocks(PAGE, "json"))
    answer = await client.post("/v1/tasks/bulk", json=tasks)
    states = [item["task"] for item in answer.json()["items"]]
    assert [state["status"] for state in states] == ["queued", "queued", "blocked"]
    assert states[2]["status_reason"] == "waits for 2 tasks"


def test_the_sql_does_what_it_says(queue: Queue) -> None:
    parent = queue.enqueue("pay")
    (sql,) = blocks(PAGE, "sql")
    enqueue, read = sql.strip().split("\n")
    child = str(queue.value(enqueue))
    (edge,) = queue.rows(read)
    assert (str(edge["child_id"]), str(edge["parent_id"])) == (child, parent)
    assert (edge["on_failure"], edge["waiting"]) == ("fail", True)


async def test_the_python_does_what_it_says(pgqueue_app: PgQueue) -> None:
    app = pgqueue_app

    @app.task("echo")
    async def echo(ctx: Context, payload: Any) -> Any:
        return payload

    known = {
        "app": app,
        "Context": Context,
        "NewTask": NewTask,
        "chain": chain,
        "chord": chord,
        "group": group,
        "drain": drain,
    }
    for code in blocks(PAGE, "python"):
        await run(code, PAGE, **known)
