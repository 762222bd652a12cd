"""Pause, drain and resume of a queue over HTTP."""

import asyncio

import httpx
import pytest

from tests.api.conftest import submit
from tests.api.worker import Worker

WHY = {"reason": "the provider is down"}


async def test_a_paused_queue_says_who_asked_and_why_and_starts_nothing(
    client: httpx.AsyncClient, worker: Worker
):
    task = await submit(client)
    paused = await client.post("/v1/queues/default/pause", json=WHY)
    assert paused.status_code == 200, paused.text
    said = paused.json()
    assert (said["paused"], said["paused_by"], said["paused_reason"]) == (
        True,
        "http 127.0.0.1",
        "the provider is down",
    )
    assert said["paused_at"] is not None
    assert paused.headers["etag"] == f'"{said["version"]}"'
    assert worker.claim() == []
    read = (await client.get(f"/v1/tasks/{task['id']}")).json()
    assert read["status_reason"].startswith("queue default is paused by http 127.0.0.1 since ")
    assert read["status_reason"].endswith(": the provider is down")
    resumed = await client.post("/v1/queues/default/resume")
    assert (resumed.status_code, resumed.json()["state"]) == (200, "active")
    assert worker.claim() == [task["id"]]


async def test_a_drain_is_over_when_what_ran_has_ended(client: httpx.AsyncClient, worker: Worker):
    task = await submit(client)
    worker.claim()
    drained = await client.post("/v1/queues/default/drain", json=WHY)
    assert (drained.json()["state"], drained.json()["still_running"]) == ("draining", 1)
    assert "preference-applied" not in drained.headers
    waited = await client.post("/v1/queues/default/drain", headers={"Prefer": "wait=0"})
    assert (waited.json()["state"], waited.headers["preference-applied"]) == ("draining", "wait=0")
    waiting = asyncio.create_task(
        client.post("/v1/queues/default/drain", json=WHY, headers={"Prefer": "wait=30"})
    )
    worker.finish(task["id"])
    answer = (await waiting).json()
    assert (answer["state"], answer["still_running"], answer["paused_reason"]) == (
        "paused",
        0,
        "the provider is down",
    )


async def test_a_queue_that_is_not_there_is_made_by_a_pause_only(client: httpx.AsyncClient):
    resumed = await client.post("/v1/queues/new/resume")
    assert (resumed.status_code, resumed.json()["code"]) == (404, "not_found")
    assert (await client.post("/v1/queues/new/pause")).json()["paused"] is True
    refused = await client.post("/v1/queues/a b/pause")
    assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (422, "name")


@pytest.mark.parametrize("action", ["pause", "drain"])
async def test_a_reason_that_is_none_changes_nothing(client: httpx.AsyncClient, action: str):
    for body in ({"reason": 3}, {"because": "x"}, []):
        answer = await client.post(f"/v1/queues/default/{action}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), body
    assert (await client.get("/v1/queues/default")).json()["paused"] is False
