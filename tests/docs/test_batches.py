"""The chapter on batches does what it says."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from pgqueue import Context, NewTask, PgQueue
from pgqueue.testing import drain
from tests.database.queue import Queue
from tests.docs.blocks import blocks
from tests.docs.calling import calling
from tests.docs.running import run

PAGE = "batches.md"


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
    (batch,) = map(json.loads, blocks(PAGE, "json"))
    answer = await client.post("/v1/batches", json=batch)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/batches/{answer.json()['id']}"
    assert (answer.json()["status"], answer.json()["total"]) == ("running", 2)


def test_the_sql_does_what_it_says(queue: Queue) -> None:
    (sql,) = blocks(PAGE, "sql")
    create, read = sql.strip().split("\n")
    queue.value(create)
    (batch,) = queue.rows(read)
    assert (batch["name"], batch["status"], batch["waiting"]) == ("invoices", "running", 2)


async def test_the_python_does_what_it_says(pgqueue_app: PgQueue) -> None:
    app = pgqueue_app

    @app.task("invoice")
    @app.task("report")
    async def handler(ctx: Context, payload: Any) -> None:
        pass

    async def serve() -> None:
        while not (await drain(app)).get("completed"):
            await asyncio.sleep(0)

    serving = asyncio.create_task(serve())
    for code in blocks(PAGE, "python"):
        await run(code, PAGE, app=app, NewTask=NewTask)
    await serving
