"""The chapter on pause and drain does what it says."""

import shlex
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest
from click.testing import CliRunner
from pgqueue_api.app import create_app

from pgqueue import PgQueue
from pgqueue.commands.cli import group
from pgqueue.settings import Settings
from tests.database.queue import Queue
from tests.docs.blocks import blocks
from tests.docs.http import parse
from tests.docs.running import run

PAGE = "pause.md"


@pytest.fixture
def queue(connect: Callable[..., psycopg.Connection]):
    with ThreadPoolExecutor(1) as threads:
        yield Queue(connect, threads)


def test_the_sql_does_what_it_says(queue: Queue) -> None:
    (block,) = blocks(PAGE, "sql")
    pause, resume, drain, look = block.strip().split("\n")
    for statement, state in ((pause, "draining"), (resume, "active"), (drain, "draining")):
        queue.rows(statement)
        assert queue.row(look)["state"] == state
    assert queue.row(look)["paused_reason"] == "a new schema"
    queue.shift_clock(2)
    assert queue.row(look)["state"] == "paused"


async def test_the_python_does_what_it_says(queue: Queue, database: str) -> None:
    (block,) = blocks(PAGE, "python")
    async with PgQueue(database) as app:
        made = await run(block, PAGE, app=app)
    assert (made["queue"].state, made["queue"].paused_by) == ("paused", "ada")


async def test_the_call_does_what_it_says(queue: Queue, database: str) -> None:
    (request,) = map(parse, blocks(PAGE, "http"))
    api = create_app(Settings(database_url=database))
    async with (
        api.lifespan(),
        httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://api") as client,
    ):
        answer = await client.request(
            request.method, request.path, headers=request.headers, content=request.body
        )
    assert answer.status_code == 200, answer.text
    assert (answer.json()["state"], answer.json()["paused_reason"]) == ("paused", "a new schema")


def test_the_commands_do_what_they_say(queue: Queue, database: str) -> None:
    (block,) = blocks(PAGE, "sh")
    states = []
    for line in block.strip().split("\n"):
        program, *arguments = shlex.split(line)
        assert program == "pgqueue"
        runner = CliRunner(env={"PGQUEUE_DATABASE_URL": database})
        done = runner.invoke(group, arguments)
        assert done.exit_code == 0, done.output
        states.append(queue.value("select state from pgqueue.queues"))
    assert states == ["draining", "paused", "active", "active"]
