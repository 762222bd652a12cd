"""The chapter on scaling does what it says."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
import yaml
from pgqueue_api.app import create_app

from pgqueue.settings import Settings
from tests.database.queue import Queue
from tests.docs.blocks import blocks

PAGE = "scaling.md"


@pytest.fixture
def queue(connect: Callable[..., psycopg.Connection]):
    with ThreadPoolExecutor(1) as threads:
        yield Queue(connect, threads)


def test_the_sql_does_what_it_says(queue: Queue) -> None:
    queue.worker(queues=("email",))
    queue.enqueue_many(*[{"type": "t", "queue": "email"}] * 25)
    queue.shift_clock(10)
    (block,) = blocks(PAGE, "sql")
    patient, all_queues = block.strip().split("\n")
    assert queue.row(patient)["wanted"] == 10
    assert queue.row(all_queues)["wanted"] == 25


async def test_keda_finds_the_number_where_the_example_says(queue: Queue, database: str) -> None:
    (block,) = blocks(PAGE, "yaml")
    (trigger,) = yaml.safe_load(block)["spec"]["triggers"]
    assert trigger["type"] == "metrics-api"
    asked = trigger["metadata"]
    queue.enqueue_many(*[{"type": "t", "queue": "email"}] * 25)
    queue.value("select pgqueue.set_queue('email')::text")
    api = create_app(Settings(database_url=database))
    async with (
        api.lifespan(),
        httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://api") as client,
    ):
        url = urlsplit(asked["url"])
        answer = (await client.get(f"{url.path}?{url.query}")).json()
    assert answer[asked["valueLocation"]] == 25
    assert float(asked["targetValue"]) == 10
    (example,) = map(json.loads, blocks(PAGE, "json"))
    assert example.keys() == answer.keys()


def test_the_setting_that_the_chapter_names_is_there() -> None:
    page = (Path(__file__).parents[2] / "docs" / PAGE).read_text()
    assert f"`PGQUEUE_SHRINK_S` ({Settings().shrink_s:g} s)" in page
