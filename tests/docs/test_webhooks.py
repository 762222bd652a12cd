"""The chapter on webhooks does what it says."""

import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import httpx
import pytest

from pgqueue import PgQueue
from pgqueue.models.webhook import Event
from tests.docs.blocks import blocks
from tests.docs.calling import calling
from tests.docs.running import run
from tests.worker.conftest import Bench, eventually

PAGE = "webhooks.md"


@pytest.fixture
def bench(database: str, tmp_path: Path):
    bench = Bench(database, tmp_path)
    bench.rows("insert into pgqueue_private.task_type (name, updated_at) values ('noop', now())")
    yield bench
    bench.close()


@pytest.fixture
async def client(database: str, bench: Bench) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(database) as client:
        yield client


def test_a_receiver_verifies_what_a_worker_sends(bench: Bench) -> None:
    receiver: dict = {}
    exec(compile(blocks(PAGE, "python")[1], PAGE, "exec"), receiver)
    server = receiver["serve"]()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/"
        receiver["SECRETS"] += [
            bench.value("select secret from pgqueue.webhook_secrets()"),
        ]
        bench.start(PGQUEUE_OUTBOUND_ALLOW_HOSTS="127.0.0.1")
        id = bench.enqueue("echo", {"order": 7}, callback_url=url)
        (event,) = eventually(lambda: [*receiver["seen"].values()], "the receiver takes it")
        assert (event["type"], event["data"]["id"]) == ("task.completed", id)
        look, again = blocks(PAGE, "sql")[2].strip().split("\n")
        eventually(lambda: bench.rows(look)[0]["status"] == "delivered", "it is delivered")
        assert bench.rows(look)[0]["response_status"] == 204
        assert bench.rows(again) == []
    finally:
        server.shutdown()
        server.server_close()


async def test_the_bodies_are_taken(client: httpx.AsyncClient) -> None:
    task, hook = map(json.loads, blocks(PAGE, "json"))
    answer = await client.post("/v1/tasks", json=task)
    assert (answer.status_code, answer.json()["callback_url"]) == (201, task["callback_url"])
    answer = await client.post("/v1/webhooks", json=hook)
    assert answer.status_code == 201
    assert answer.json().items() >= hook.items()


async def test_the_python_and_the_sql_do_what_they_say(bench: Bench, database: str) -> None:
    create, _ = blocks(PAGE, "python")
    subscribe, rotate, _, places = blocks(PAGE, "sql")
    async with PgQueue(database) as app:
        scope = await run(create, PAGE, app=app)
        assert scope["secret"].secret.startswith("whsec_")
        for line in [*subscribe.strip().split("\n"), *rotate.strip().split("\n"), places]:
            bench.rows(line)
        one, two = await app.webhooks.all()
        assert (one.events, two.types) == (["task.failed", "dead_letters.growing"], ["charge"])
        assert [len(await app.webhooks.secrets(id)) for id in (one.id, two.id, None)] == [2, 1, 1]


def test_every_event_of_the_chapter_can_be_subscribed_to(bench: Bench) -> None:
    events = [*get_args(Event)]
    page = (Path(__file__).parents[2] / "docs" / PAGE).read_text()
    assert all(f"`{event}`" in page for event in events)
    bench.value("select pgqueue.create_webhook('https://example.com', %s)", events)
