"""The chapter on dead letters does what it says."""

import ast
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from pgqueue import PgQueue
from tests.database.queue import Queue
from tests.database.test_dead_letters import dead_letters, fail
from tests.database.test_operations import step
from tests.docs.blocks import blocks
from tests.docs.calling import calling

PAGE = "dead-letters.md"


@pytest.fixture
def queue(connect: Callable[..., psycopg.Connection]):
    with ThreadPoolExecutor(2) as threads:
        queue = Queue(connect, threads)
        worker = queue.worker()
        for n in range(3):
            fail(queue, worker, f"order {n} is not there", type="send", queue="email")
            fail(queue, worker, type="newsletter", queue="news")
        yield queue


@pytest.fixture
async def client(database: str) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(database) as client:
        yield client


def test_the_sql_does_what_it_says(queue: Queue) -> None:
    look, operate, policies, subscribe = blocks(PAGE, "sql")
    assert len(queue.rows(look)) == 6
    start, read = operate.strip().split("\n")
    queue.rows(start)
    step(queue)
    (operation,) = queue.rows(read)
    assert (operation["state"], operation["done"]) == ("completed", 3)
    assert operation["reason"] == "out of date"
    *changes, read = policies.strip().split("\n")
    for change in changes:
        queue.rows(change)
    assert [(p["queue"], p["growth_limit"]) for p in queue.rows(read)] == [
        ("*", 500),
        ("email", 20),
    ]
    queue.rows(subscribe)
    queue.rows("select pgqueue.set_dead_letter_policy('email', growth_limit => 2)")
    queue.rows("select pgqueue_private.watch_dead_letters()")
    assert queue.values("select event from pgqueue.webhook_deliveries") == ["dead_letters.growing"]


async def test_the_calls_do_what_they_say(queue: Queue, client: httpx.AsyncClient) -> None:
    (request,) = blocks(PAGE, "http")
    method, path = request.split()
    (group,) = (await client.request(method, path)).json()["items"]
    assert group["count"] == 3
    dry, start, policy = map(json.loads, blocks(PAGE, "json"))
    answer = await client.post("/v1/operations", json=dry)
    assert (answer.status_code, answer.json()["matched"]) == (200, 3)
    answer = await client.post("/v1/operations", json=start)
    assert (answer.status_code, answer.json()["per_second"]) == (201, 50)
    step(queue)
    answer = await client.get(answer.headers["location"])
    assert (answer.json()["state"], answer.json()["done"]) == ("completed", 3)
    answer = await client.patch("/v1/dead-letters/policies/email", json=policy)
    assert answer.json()["items"][1] == {"queue": "email", **policy}


async def test_the_python_does_what_it_says(
    queue: Queue, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    redrive, cancel = blocks(PAGE, "python")
    async with PgQueue(database) as app:
        await run(redrive, app)
        assert "order 0 is not there" in capsys.readouterr().out
        assert len(dead_letters(queue)) == 3
        waiting = queue.enqueue("newsletter")
        first, rest = cancel.split("\n", 1)
        names = await run(first, app)
        while step(queue)["operation_state"] != "completed":
            queue.rows("update pgqueue_private.operation set next_at = created_at")
        await run(rest, app, **names)
        assert "completed 1 0" in capsys.readouterr().out
        assert queue.status(waiting) == "cancelled"


async def run(code: str, app: PgQueue, **names: object) -> dict[str, object]:
    """Run a block that awaits at its top level; gives the names it made."""
    compiled = compile(code, PAGE, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    scope = {"app": app, **names}
    pending = eval(compiled, scope)
    if pending is not None:
        await pending
    return {name: value for name, value in scope.items() if name == "operation"}
