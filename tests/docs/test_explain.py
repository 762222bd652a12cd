"""The chapter on why a task waits does what it says."""

import re
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
from pgqueue.models.tasks.explanation import REASONS
from pgqueue.settings import Settings
from tests.database.queue import Queue
from tests.docs.blocks import ROOT, blocks
from tests.docs.http import parse
from tests.docs.running import run

PAGE = "explain.md"
ID = "01964f2e-8a70-7000-8000-0123456789ab"


@pytest.fixture
def queue(connect: Callable[..., psycopg.Connection]):
    with ThreadPoolExecutor(1) as threads:
        queue = Queue(connect, threads)
        queue.rows(
            "select pgqueue_private.register_worker('s', 'host', "
            "7, '1', '{email}', '{send}', 10, 15)"
        )
        yield queue


def test_the_sql_does_what_it_says(queue: Queue) -> None:
    id = queue.enqueue("send", queue="email")
    explain, usage = blocks(PAGE, "sql")
    pause, why = explain.replace(ID, id).strip().split("\n")
    assert [row["code"] for row in queue.rows(why)] == ["ready"]
    queue.rows(pause)
    (paused,) = queue.rows(why)
    assert (paused["code"], paused["details"]["by"]) == ("paused", "ada")
    queue.value("select pgqueue.set_queue('email', concurrency => 3)::text")
    assert queue.row(usage) == {
        "kind": "concurrency",
        "queue": "email",
        "limit_key": None,
        "allowed": 3,
        "per_seconds": None,
        "used": 0,
        "free": 3,
        "next_free_at": None,
        "waiting": 0,
    }


def test_the_commands_do_what_they_say(queue: Queue, database: str) -> None:
    id = queue.enqueue("send", queue="email")
    (block,) = blocks(PAGE, "sh")
    shown = []
    for line in block.replace(ID, id).strip().split("\n"):
        _, *arguments = shlex.split(line)
        runner = CliRunner(env={"PGQUEUE_DATABASE_URL": database})
        shown.append(runner.invoke(group, arguments).stdout)
    assert ["id", id] in [line.split() for line in shown[0].splitlines()]
    assert shown[1].startswith("ready: Nothing holds it back: the next claim takes it.\n")


async def test_the_python_and_the_call_do_what_they_say(queue: Queue, database: str) -> None:
    id = queue.enqueue("send", queue="email")
    (block,) = blocks(PAGE, "python")
    async with PgQueue(database) as app:
        made = await run(block, PAGE, app=app, id=id)
    (request,) = map(parse, blocks(PAGE, "http"))
    api = create_app(Settings(database_url=database))
    async with (
        api.lifespan(),
        httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://api") as client,
    ):
        answer = await client.request(request.method, request.path.replace(ID, id))
    assert answer.json()["why"] == made["explanation"].why


def test_every_code_is_explained_here() -> None:
    table = re.findall(r"^\| ((?:`\w+` )+)\|", (ROOT / "docs" / PAGE).read_text(), re.MULTILINE)
    assert {code for row in table for code in re.findall(r"\w+", row)} == set(REASONS)
