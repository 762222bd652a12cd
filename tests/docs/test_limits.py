"""The examples of the chapter on limits, executed."""

import ast
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from pgqueue import PgQueue
from tests.database.queue import Queue
from tests.docs.blocks import blocks


@pytest.fixture
def queue(connect: Callable[..., psycopg.Connection]) -> Iterator[Queue]:
    with ThreadPoolExecutor(1) as threads:
        yield Queue(connect, threads)


def test_the_statements_do_what_the_chapter_says(queue: Queue) -> None:
    (block,) = blocks("limits.md", "sql")
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
    (block,) = blocks("limits.md", "python")
    names: dict[str, Any] = {}
    seen = []
    for statement in ast.parse(block).body:
        module = ast.Module([statement], [])
        code = compile(module, "limits.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if (awaited := eval(code, names)) is not None:
            await awaited
            seen.append(queue.row("select concurrency, rate, paused from pgqueue.queues"))
    app: PgQueue = names["app"]
    await app.close()
    rate = [{"count": 10, "per_seconds": 1}, {"count": 200, "per_seconds": 3600}]
    assert [tuple(row.values()) for row in seen] == [
        (5, rate, False),
        (5, rate, True),
        (5, rate, False),
        (None, None, False),
    ]
