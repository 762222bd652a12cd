"""The chapter on uniqueness does what it says."""

import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import psycopg
import pytest

from pgqueue import PgQueue
from tests.database.queue import Queue
from tests.docs.blocks import blocks
from tests.docs.calling import calling
from tests.docs.running import run

PAGE = "uniqueness.md"


@pytest.fixture
def queue(connect: Callable[..., psycopg.Connection]):
    with ThreadPoolExecutor(1) as threads:
        queue = Queue(connect, threads)
        queue.rows(
            "insert into pgqueue_private.task_type (name, updated_at) values ('sync', now())"
        )
        yield queue


@pytest.fixture
async def client(database: str, queue: Queue) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(database) as client:
        yield client


async def test_the_call_does_what_it_says(client: httpx.AsyncClient) -> None:
    (task,) = map(json.loads, blocks(PAGE, "json"))
    answers = [await client.post("/v1/tasks", json=task) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert [answer.json()["deduplicated"] for answer in answers] == [False, True, True]


def test_the_sql_does_what_it_says(queue: Queue) -> None:
    (sql,) = blocks(PAGE, "sql")
    enqueue, read = sql.strip().split("\n")
    assert queue.value(enqueue) == queue.value(enqueue)
    (task,) = queue.rows(read)
    assert (task["status"], task["dedup_key"]) == ("queued", "customer-7")


async def test_the_python_does_what_it_says(queue: Queue, database: str) -> None:
    async with PgQueue(database) as app:
        for code in blocks(PAGE, "python"):
            await run(code, PAGE, app=app, timedelta=timedelta)
    assert queue.count("task") == 3
