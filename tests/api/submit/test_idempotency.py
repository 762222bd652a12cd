"""Idempotency-Key: the same request again gives the same tasks."""

import asyncio

import httpx
import pytest

from tests.api.submit.test_bulk import bulk
from tests.api.worker import Worker

KEY = {"idempotency-key": "order-7"}
BODY = {"type": "noop", "payload": {"order": 7}}


async def test_the_same_request_again_gives_the_same_task(
    client: httpx.AsyncClient, worker: Worker
):
    first = await client.post("/v1/tasks", json=BODY, headers=KEY)
    again = await client.post("/v1/tasks", json=BODY, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["location"] == first.headers["location"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert worker.value("select count(*) from pgqueue.tasks") == 1


async def test_a_replay_tells_how_the_task_stands_now(client: httpx.AsyncClient, worker: Worker):
    first = await client.post("/v1/tasks", json=BODY, headers=KEY)
    worker.claim()
    worker.finish(first.json()["id"])
    again = await client.post("/v1/tasks", json=BODY, headers=KEY)
    assert again.json()["status"] == "completed"


async def test_a_key_that_comes_with_another_body_is_refused(client: httpx.AsyncClient):
    await client.post("/v1/tasks", json=BODY, headers=KEY)
    other = await client.post("/v1/tasks", json={"type": "noop"}, headers=KEY)
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_key_reused"


async def test_a_key_is_free_again_after_24_hours(client: httpx.AsyncClient, worker: Worker):
    first = await client.post("/v1/tasks", json=BODY, headers=KEY)
    worker.rows(
        "update pgqueue_private.idempotency set created_at = created_at - interval '24 hours'"
    )
    later = await client.post("/v1/tasks", json={"type": "noop"}, headers=KEY)
    assert later.status_code == 201
    assert later.json()["id"] != first.json()["id"]


async def test_while_the_first_request_runs_a_second_is_told_so(
    client: httpx.AsyncClient, worker: Worker
):
    with worker.connection.transaction():
        worker.rows(
            "select pg_advisory_xact_lock(hashtextextended('pgqueue:idempotency:0:order-7', 0))"
        )
        answer = await client.post("/v1/tasks", json=BODY, headers=KEY)
    assert answer.status_code == 409
    assert answer.json()["code"] == "idempotency_key_in_flight"
    assert (await client.post("/v1/tasks", json=BODY, headers=KEY)).status_code == 201


async def test_many_of_the_same_request_at_once_store_one_task(
    client: httpx.AsyncClient, worker: Worker
):
    answers = await asyncio.gather(
        *(client.post("/v1/tasks", json=BODY, headers=KEY) for _ in range(20))
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert worker.value("select count(*) from pgqueue.tasks") == 1


async def test_a_refused_request_leaves_its_key_free(client: httpx.AsyncClient):
    refused = await client.post("/v1/tasks", json={"type": "unknown"}, headers=KEY)
    assert refused.status_code == 422
    assert (await client.post("/v1/tasks", json=BODY, headers=KEY)).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, " "])
async def test_a_key_is_1_to_255_printable_characters(client: httpx.AsyncClient, key):
    answer = await client.post("/v1/tasks", json=BODY, headers={"idempotency-key": key})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "Idempotency-Key"


async def test_many_tasks_under_one_key_are_replayed_in_their_places(
    client: httpx.AsyncClient, worker: Worker
):
    tasks = [{"type": "noop", "payload": {"n": 1}}, {"type": "unknown"}, {"type": "noop"}]
    first = await bulk(client, tasks, **KEY)
    again = await bulk(client, tasks, **KEY)
    assert first == again
    worker.publish("unknown")  # what was refused then stays refused under this key
    third = await bulk(client, tasks, **KEY)
    assert [item["ok"] for item in third["items"]] == [True, False, True]
    assert worker.value("select count(*) from pgqueue.tasks") == 2


async def test_many_refused_tasks_under_a_key_store_nothing(
    client: httpx.AsyncClient, worker: Worker
):
    result = await bulk(client, [{"type": "unknown"}], **KEY)
    assert result["refused"] == 1
    assert worker.value("select count(*) from pgqueue.tasks") == 0
