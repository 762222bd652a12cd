"""The chapter on retries does what it says."""

import ast
import inspect
import json
from collections.abc import AsyncIterator

import httpx
import psycopg
import pytest

from pgqueue import PgQueue
from pgqueue.testing import drain, on_database
from tests.docs.blocks import blocks
from tests.docs.calling import calling

PAGE = "retries.md"
HANDLER, OWN, SETTINGS = blocks(PAGE, "python")


@pytest.fixture
def chapter(database: str) -> dict:
    names: dict = {}
    exec(HANDLER, names)
    return names


@pytest.fixture
def app(chapter: dict, database: str):
    with on_database(chapter["app"], database) as app:
        yield app


@pytest.fixture
async def client(app: PgQueue, database: str) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(database) as client:
        yield client


async def run(code: str, names: dict) -> None:
    compiled = compile(code, PAGE, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(compiled, names)
    if inspect.isawaitable(result):
        await result


@pytest.mark.parametrize(
    ("bank", "outcome", "ended", "waits"),
    [
        ("open", "completed", ("completed", 1), None),
        ("busy", "failed", ("retrying", 1), (30, 30)),
        ("closed", "snoozed", ("scheduled", 0), (8 * 3600, 8 * 3600)),
        ("gone", "cancelled", ("cancelled", 1), None),
        ("no", "failed", ("failed", 1), None),
        ("down", "failed", ("retrying", 1), (0, 10)),
    ],
)
async def test_each_ending_does_what_the_table_says(
    app: PgQueue, bank: str, outcome: str, ended: tuple[str, int], waits: tuple | None
) -> None:
    status, attempt = ended
    id = await app.enqueue("charge", {"order": 7, "bank": bank})
    assert await drain(app) == {outcome: 1}
    task = await app.get(id)
    assert (task.status, task.attempt, task.max_attempts) == (status, attempt, 5)
    assert (task.next_retry_at is not None) == (status == "retrying")
    if waits:
        low, high = waits
        assert low <= (task.run_at - task.started_at).total_seconds() <= high + 5


async def test_a_task_may_bring_its_own(
    app: PgQueue, chapter: dict, client: httpx.AsyncClient, database: str
) -> None:
    await run(OWN, chapter)
    with psycopg.connect(database) as connection:
        connection.execute(blocks(PAGE, "sql")[0])
    answer = await client.post("/v1/tasks", json=json.loads(blocks(PAGE, "json")[0]))
    assert (answer.status_code, answer.json()["max_attempts"]) == (201, 2)
    assert await drain(app) == {"failed": 3}
    with psycopg.connect(database) as connection:
        waits = connection.execute(
            """select extract(epoch from next_retry_at - started_at)::float8
               from pgqueue.tasks order by id"""
        ).fetchall()
    for (waited,), (low, high) in zip(waits, [(30, 60), (60, 60), (2.5, 5)], strict=True):
        assert low <= waited <= high + 5


async def test_the_settings_of_a_queue_are_set_at_each_door(
    app: PgQueue, chapter: dict, client: httpx.AsyncClient, database: str
) -> None:
    policy = {"kind": "linear", "base_s": 30}
    *changes, read = blocks(PAGE, "sql")[1].strip().split("\n")
    with psycopg.connect(database) as connection:
        for change in changes:
            connection.execute(change)
        (row,) = connection.execute(read).fetchall()
    assert row == ("billing", None, policy, 3)
    await run(SETTINGS, chapter)
    read = await client.get("/v1/queues/billing")
    assert (read.headers["etag"], read.json()["max_attempts"]) == ('"5"', None)
    assert read.json()["retry"].items() >= policy.items()
    settings = json.loads(blocks(PAGE, "json")[1])
    for tag, status in (('"4"', 412), ('"5"', 200)):
        put = await client.put("/v1/queues/billing", json=settings, headers={"If-Match": tag})
        assert put.status_code == status
    assert (put.json()["max_attempts"], put.json()["retry"]) == (8, policy)
