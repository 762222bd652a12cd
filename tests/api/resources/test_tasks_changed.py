"""PATCH /v1/tasks/{id}: changes to what waits, and no lost update."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.api.conftest import submit
from tests.api.worker import Worker


async def patch(
    client: httpx.AsyncClient, id: str, change: object, etag: str | None = "*"
) -> httpx.Response:
    headers = {} if etag is None else {"if-match": etag}
    return await client.patch(f"/v1/tasks/{id}", json=change, headers=headers)


async def etag(client: httpx.AsyncClient, id: str) -> str:
    return (await client.get(f"/v1/tasks/{id}")).headers["etag"]


async def test_a_waiting_task_is_changed(client: httpx.AsyncClient, worker: Worker):
    task = await submit(client)
    answer = await patch(client, task["id"], {"priority": "high"}, await etag(client, task["id"]))
    assert answer.status_code == 200
    assert answer.json() == {**task, "priority": 2}
    later = datetime.now(UTC) + timedelta(hours=2)
    change = {"run_at": later.isoformat(), "priority": 0}
    answer = await patch(client, task["id"], change, answer.headers["etag"])
    assert (answer.json()["status"], answer.json()["priority"]) == ("scheduled", 0)
    assert datetime.fromisoformat(answer.json()["run_at"]) == later
    answer = await patch(client, task["id"], {"delay_s": 0}, answer.headers["etag"])
    assert answer.json()["status"] == "queued"
    assert answer.headers["etag"] == await etag(client, task["id"])


async def test_an_etag_holds_until_somebody_changes_the_task(client: httpx.AsyncClient):
    id = (await submit(client))["id"]
    first = await etag(client, id)
    assert first == await etag(client, id)
    assert (await patch(client, id, {"priority": 1}, f'"other", {first}')).status_code == 200
    stale = await patch(client, id, {"priority": 2}, first)
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    weak = await patch(client, id, {"priority": 2}, f"W/{await etag(client, id)}")
    assert weak.status_code == 412
    assert (await client.get(f"/v1/tasks/{id}")).json()["priority"] == 1


async def test_of_two_clients_that_read_the_same_one_loses(client: httpx.AsyncClient):
    id = (await submit(client))["id"]
    seen = await etag(client, id)
    answers = await asyncio.gather(*(patch(client, id, {"priority": n}, seen) for n in (1, 2)))
    assert sorted(answer.status_code for answer in answers) == [200, 412]


async def test_without_if_match_it_is_changed_as_it_stands(client: httpx.AsyncClient):
    task = await submit(client)
    answer = await patch(client, task["id"], {"priority": 0}, None)
    assert (answer.status_code, answer.json()["priority"]) == (200, 0)


@pytest.mark.parametrize("status", ["active", "completed"])
async def test_a_task_that_does_not_wait_is_a_conflict(
    client: httpx.AsyncClient, worker: Worker, status: str
):
    id = (await submit(client))["id"]
    seen = await etag(client, id)
    worker.claim()
    if status == "completed":
        worker.finish(id)
    answer = await patch(client, id, {"priority": 0}, seen)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert f"is {status}" in answer.json()["detail"]


@pytest.mark.parametrize("if_match", ["*", None])
async def test_an_unknown_task_is_not_found(client: httpx.AsyncClient, if_match: str | None):
    id = "00000000-0000-7000-8000-000000000000"
    assert (await patch(client, id, {"priority": 0}, if_match)).status_code == 404


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({}, ""),
        ([], ""),
        ({"payload": {}}, ""),
        ({"priority": 11}, "/priority"),
        ({"priority": "urgent"}, "/priority"),
        ({"run_at": "tomorrow"}, "/run_at"),
        ({"run_at": "2030-01-01T00:00:00"}, "/run_at"),
        ({"delay_s": -1}, "/delay_s"),
        ({"delay_s": 1, "run_at": "2030-01-01T00:00:00Z"}, "/delay_s"),
    ],
)
async def test_what_is_no_change_is_refused_at_its_place(
    client: httpx.AsyncClient, change: object, pointer: str
):
    id = (await submit(client))["id"]
    answer = await patch(client, id, change)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_time_beyond_all_bounds_is_refused(client: httpx.AsyncClient):
    id = (await submit(client))["id"]
    answer = await patch(client, id, {"run_at": "9999-06-01T00:00:00Z"})
    assert (answer.status_code, answer.json()["code"]) == (422, "usage")
