"""Prefer: wait=N."""

import asyncio

import httpx
import pytest
from pgqueue_api.app import Api

from tests.api.worker import Worker


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
