"""The examples of the chapter on limits, executed."""

import ast
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from pgqueue import PgQueue, Retry
from tests.database.queue import Queue
from tests.docs.blocks import blocks


@pytest.fixture
def queue(connect: Callable[..., psycopg.Connection]) -> Iterator[Queue]:
    with ThreadPoolExecutor(1) as threads:
        yield Queue(connect, threads)


async def run(block: str, look: Callable[[], Any]) -> list[Any]:
    """Execute a block of the chapter; gives what was seen after each of its calls."""
    names: dict[str, Any] = {}
    seen = []
    for statement in ast.parse(block).body:
        module = ast.Module([statement], [])
        code = compile(module, "limits.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if (awaited := eval(code, names)) is not None:
            await awaited
            seen.append(look())
    app: PgQueue = names["app"]
    await app.close()
    return seen


def test_the_statements_do_what_the_chapter_says(queue: Queue) -> None:
    block = blocks("limits.md", "sql")[0]
    answers = [queue.rows(statement) for statement in block.strip().split(";\n") if statement]
    assert answers[2] == [
        {
            "name": "email",
            "concurrency": 5,
            "rate": [{"count": 50, "per_seconds": 60}],
            "paused": True,
            "paused_by": "postgres",
            "paused_reason": "the provider is down",
        }
    ]
    assert queue.value("select paused from pgqueue.queues") is False


async def test_the_calls_do_what_the_chapter_says(
    database: str, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGQUEUE_DATABASE_URL", database)
    block = blocks("limits.md", "python")[0]
    seen = await run(
        block, lambda: queue.row("select concurrency, rate, paused from pgqueue.queues")
    )
    rate = [{"count": 10, "per_seconds": 1}, {"count": 200, "per_seconds": 3600}]
    assert [tuple(row.values()) for row in seen] == [
        (5, rate, False),
        (5, rate, True),
        (5, rate, False),
        (None, None, False),
    ]


def claimed(queue: Queue, name: str) -> int:
    return queue.value(
        "select count(task_id) from pgqueue_private.claim_limited(%s, %s, 10)", queue.worker(), name
    )


async def test_a_key_is_limited_as_the_chapter_says(
    database: str, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGQUEUE_DATABASE_URL", database)
    per_key, named, _, enqueued, deleted = await run(
        blocks("limits.md", "python")[1],
        lambda: (
            queue.value("select per_key from pgqueue.queues where name = 'exports'"),
            queue.rows("select name, concurrency, rate from pgqueue.limits"),
            claimed(queue, "exports"),
        ),
    )
    rate = [{"count": 60, "per_seconds": 60, "smooth": True}]
    acme = [{"name": "acme", "concurrency": 3, "rate": rate}]
    assert per_key == ({"concurrency": 1}, [], 0)
    assert named == ({"concurrency": 1}, acme, 0)
    assert enqueued == ({"concurrency": 1}, acme, 0)  # half a minute apart
    assert deleted == ({"concurrency": 1}, [], 0)


def test_the_statements_on_keys_do_what_the_chapter_says(queue: Queue) -> None:
    block = blocks("limits.md", "sql")[1]
    answers = [queue.rows(statement) for statement in block.strip().split(";\n") if statement]
    assert answers[3] == [{"name": "globex", "concurrency": 2, "rate": None, "slowed_until": None}]
    assert answers[4] == [{"delete_limit": True}]
    assert claimed(queue, "reports") == 1


async def test_a_handler_slows_its_key_as_the_chapter_says() -> None:
    async def post(_payload: object) -> Any:
        return SimpleNamespace(status=429, headers={"Retry-After": "30"})

    names: dict[str, Any] = {"post": post}
    exec(blocks("limits.md", "python")[2], names)
    answer = await names["send"](None, {})
    assert answer == Retry(after=30, slow="key", reason="429 of the provider")
