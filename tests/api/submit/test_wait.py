"""Prefer: wait=N."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import psycopg
import pytest
from pgqueue_api.app import Api
from pgqueue_api.bounds import Bounds
from pgqueue_api.live import hub as hub_module
from psycopg.rows import tuple_row

from tests.api.worker import Worker


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> Bounds:
    return getattr(request, "param", None) or Bounds(poll_s=0.1)


async def test_a_client_that_waits_gets_the_finished_task(
    client: httpx.AsyncClient, app: Api, worker: Worker
):
    waiting = asyncio.create_task(
        client.post(
            "/v1/tasks", json={"type": "noop"}, headers={"prefer": "respond-async, wait=30"}
        )
    )
    ids: list[str] = []
    while not ids:
        ids = await asyncio.to_thread(worker.claim)
    worker.finish(ids[0], result={"answer": 42})
    answer = await waiting
    assert answer.status_code == 201
    assert answer.headers["preference-applied"] == "wait=30"
    assert (answer.json()["status"], answer.json()["result"]) == ("completed", {"answer": 42})


def _finish(connection: psycopg.Connection, worker: Worker, id: str) -> bool:
    """Finish an attempt; return whether its watchers must be told."""
    ending = {"task_id": id, "lease_id": worker.leases[id], "outcome": "completed"}
    finish = "select watched from pgqueue_private.finish(%s)"
    cursor = connection.cursor(row_factory=tuple_row)
    ((watched,),) = cursor.execute(finish, [orjson.dumps([ending]).decode()]).fetchall()
    return bool(watched)


@pytest.mark.parametrize("limits", [Bounds(poll_s=3600)], indirect=True)
async def test_a_finish_that_began_before_anyone_waited_and_commits_after_the_first_look_is_found(
    app: Api, worker: Worker, database: str, client: httpx.AsyncClient
):
    id = (await client.post("/v1/tasks", json={"type": "noop"})).json()["id"]
    assert worker.claim() == [id]
    with psycopg.connect(database) as finishing:
        assert not _finish(finishing, worker, id)
        waiting = asyncio.create_task(app.services.hub.wait_for_end(id, 45))
        await _has_looked(app, id)
        finishing.commit()
    state = await waiting
    assert state is not None
    assert orjson.loads(state)["status"] == "completed"


@pytest.mark.parametrize("limits", [Bounds(poll_s=3600)], indirect=True)
async def test_a_hint_that_comes_during_the_first_look_is_not_lost(
    app: Api, worker: Worker, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hub_module, "_FIRST_LOOK_S", 3600.0)
    id = (await client.post("/v1/tasks", json={"type": "noop"})).json()["id"]
    assert worker.claim() == [id]
    hub = app.services.hub
    changes = hub.changes

    async def looked(*place: Any) -> Any:
        row = await changes(*place)
        if row["ended"] is False:
            heard = asyncio.Event()
            monkeypatch.setattr(hub, "_read", _after(hub._read, heard))
            await asyncio.to_thread(worker.finish, id)
            await heard.wait()
        return row

    monkeypatch.setattr(hub, "changes", looked)
    state = await hub.wait_for_end(id, 45)
    assert state is not None
    assert orjson.loads(state)["status"] == "completed"


@pytest.mark.parametrize("limits", [Bounds(poll_s=3600)], indirect=True)
async def test_a_wait_that_begins_while_the_hub_says_that_nobody_waits_is_told(
    app: Api, worker: Worker, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hub_module, "_FIRST_LOOK_S", 3600.0)
    hub = app.services.hub
    id = (await client.post("/v1/tasks", json={"type": "noop"})).json()["id"]
    assert worker.claim() == [id]
    await hub.announce_watching()
    saying, said = asyncio.Event(), asyncio.Event()
    rows = hub._pool.rows

    async def slow(name: str, parameters: dict[str, Any]) -> Any:
        if name == "listen_on" and not parameters["seconds"]:
            saying.set()
            await said.wait()
        return await rows(name, parameters)

    monkeypatch.setattr(hub._pool, "rows", slow)
    leaving = asyncio.create_task(hub.renew_watching())
    await saying.wait()
    waiting = asyncio.create_task(hub.wait_for_end(id, 45))
    while not hub.watchers:
        await asyncio.sleep(0)
    said.set()
    await leaving
    await _has_looked(app, id)
    assert _finish(worker.connection, worker, id), "it says that someone waits"
    worker.announce(id)
    assert await waiting is not None


async def _has_looked(app: Api, id: str) -> None:
    hub = app.services.hub
    async with asyncio.timeout(20):
        while not ((watch := hub._watches.get(id)) and watch.state):
            await asyncio.sleep(0)


def _after(call: Callable[..., Any], done: asyncio.Event) -> Callable[..., Any]:
    async def called(*arguments: Any) -> Any:
        answer = await call(*arguments)
        done.set()
        return answer

    return called


async def test_at_the_deadline_the_task_is_given_as_it_stands(client: httpx.AsyncClient):
    answer = await client.post("/v1/tasks", json={"type": "noop"}, headers={"prefer": "wait=0"})
    assert answer.status_code == 201
    assert answer.json()["status"] == "queued"
    assert answer.headers["preference-applied"] == "wait=0"


@pytest.mark.parametrize("preference", ["wait", "wait=x", "wait=-1", "return=minimal", "await=5"])
async def test_a_preference_that_means_nothing_is_ignored(client: httpx.AsyncClient, preference):
    answer = await client.post("/v1/tasks", json={"type": "noop"}, headers={"prefer": preference})
    assert answer.status_code == 201
    assert "preference-applied" not in answer.headers


async def test_a_wait_is_60_seconds_at_most(client: httpx.AsyncClient, app: Api):
    waiting = asyncio.create_task(
        client.post("/v1/tasks", json={"type": "noop"}, headers={"prefer": "wait=999999"})
    )
    while not app.services.hub.watchers:
        await asyncio.sleep(0)
    app.services.hub.end_streams()
    assert (await waiting).headers["preference-applied"] == "wait=60"
