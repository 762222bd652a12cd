"""The chapter on fairness does what it says."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from pgqueue import PgQueue
from tests.database.queue import Queue
from tests.docs.blocks import blocks
from tests.docs.running import run

PAGE = "fairness.md"


@pytest.fixture
def queue(connect: Callable[..., psycopg.Connection]) -> Iterator[Queue]:
    with ThreadPoolExecutor(1) as threads:
        yield Queue(connect, threads)


def test_the_statements_make_keys_take_turns_by_their_weights(queue: Queue) -> None:
    (sql,) = blocks(PAGE, "sql")
    for statement in sql.strip().split(";\n"):
        queue.rows(statement)
    queue.rows("select * from pgqueue_private.claim_limited(%s, 'reports', 8)", queue.worker())
    keys = "select fairness_key from pgqueue.tasks where status = 'active' order by 1"
    assert queue.values(keys) == ["acme"] * 6 + ["globex"] * 2


async def test_the_calls_do_what_the_chapter_says(queue: Queue, database: str) -> None:
    (code,) = blocks(PAGE, "python")
    async with PgQueue(database) as app:
        await run(code, PAGE, app=app)
    assert queue.values("select fairness_key from pgqueue.tasks") == ["globex"]
    assert queue.value("select fairness from pgqueue.queues where name = 'reports'") is None
    version = queue.value("select version from pgqueue.queues where name = 'reports'")
    assert version == 2
