"""The chapter on priorities does what it says."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest
from pgqueue_api.app import create_app

from pgqueue import PgQueue
from pgqueue.settings import Settings
from tests.database.queue import Queue
from tests.docs.blocks import blocks
from tests.docs.running import run

PAGE = "priorities.md"


@pytest.fixture
def queue(connect: Callable[..., psycopg.Connection]):
    with ThreadPoolExecutor(1) as threads:
        yield Queue(connect, threads)


def test_the_sql_does_what_it_says(queue: Queue) -> None:
    enqueue, change, age = blocks(PAGE, "sql")
    report, alarm = [queue.value(call) for call in enqueue.strip().split("\n")]
    later = queue.enqueue("report", run_at=datetime.now(UTC) + timedelta(hours=1))
    more_urgent, now = change.strip().split("\n")
    assert queue.values(more_urgent) == ["queued"]
    assert queue.values(now) == ["queued"]
    assert queue.claimed(queue.worker()) == [str(alarm), str(report), later]
    queue.rows(age)
    assert queue.row(
        "select name, ageing_s from pgqueue_private.queue where ageing_s is not null"
    ) == {
        "name": "reports",
        "ageing_s": 60,
    }
    old = queue.enqueue("report", queue="reports", priority=8)
    queue.shift_clock(361)
    queue.value("select pgqueue_private.age_tasks()")
    assert queue.task(old)["status_reason"] == "raised to priority 2 by its age"


async def test_the_python_does_what_it_says(queue: Queue, database: str) -> None:
    names = {"UTC": UTC, "datetime": datetime, "timedelta": timedelta}
    async with PgQueue(database) as app:
        for code in blocks(PAGE, "python"):
            await run(code, PAGE, app=app, **names)
    (task,) = queue.rows("select priority, status from pgqueue.tasks")
    assert task == {"priority": 2, "status": "queued"}
    assert queue.value("select ageing_s from pgqueue_private.queue where name = 'reports'") == 60


async def test_the_call_does_what_it_says(queue: Queue, database: str) -> None:
    (change,) = map(json.loads, blocks(PAGE, "json"))
    id = queue.enqueue()
    api = create_app(Settings(database_url=database))
    async with (
        api.lifespan(),
        httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://api") as client,
    ):
        seen = {"if-match": (await client.get(f"/v1/tasks/{id}")).headers["etag"]}
        answer = await client.patch(f"/v1/tasks/{id}", json=change, headers=seen)
        assert (answer.json()["priority"], answer.json()["status"]) == (2, "scheduled")
        codes = [
            (await client.patch(f"/v1/tasks/{id}", json=change, headers=headers)).status_code
            for headers in (seen, {})
        ]
        assert codes == [412, 200]
