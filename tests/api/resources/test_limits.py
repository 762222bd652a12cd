"""The limits of keys over HTTP, and tasks that wait for theirs."""

import httpx
import pytest

from tests.api.conftest import submit
from tests.api.worker import Worker

SETTINGS = {
    "concurrency": 3,
    "rate": [{"count": 60, "per_seconds": 60, "smooth": True}],
    "slowed_until": None,
}


async def test_a_limit_is_made_read_changed_and_deleted(client: httpx.AsyncClient):
    made = await client.put("/v1/limits/acme", json=SETTINGS)
    assert (made.status_code, made.headers["location"]) == (201, "/v1/limits/acme")
    assert made.headers["etag"] == '"1"'
    read = await client.get("/v1/limits/acme")
    assert read.json() == made.json()
    assert {name: read.json()[name] for name in SETTINGS} == SETTINGS
    patched = await client.patch(
        "/v1/limits/acme", json={"concurrency": None}, headers={"If-Match": '"1"'}
    )
    assert (patched.status_code, patched.headers["etag"]) == (200, '"2"')
    assert (patched.json()["concurrency"], patched.json()["rate"]) == (None, SETTINGS["rate"])
    put = await client.put("/v1/limits/acme", json={"concurrency": 1}, headers={"If-Match": '"2"'})
    assert (put.json()["concurrency"], put.json()["rate"], put.json()["version"]) == (1, None, 3)
    stale = await client.delete("/v1/limits/acme", headers={"If-Match": '"2"'})
    assert stale.status_code == 412
    gone = await client.delete("/v1/limits/acme", headers={"If-Match": '"3"'})
    assert gone.status_code == 204
    assert (await client.get("/v1/limits/acme")).status_code == 404


async def test_a_change_of_another_version_changes_nothing(client: httpx.AsyncClient):
    await client.put("/v1/limits/acme", json=SETTINGS)
    for method in (client.put, client.patch):
        stale = await method("/v1/limits/acme", json={}, headers={"If-Match": '"9"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    assert (await client.delete("/v1/limits/acme")).status_code == 204
    for tag in ("*", '"1"'):
        none = await client.put("/v1/limits/none", json={}, headers={"If-Match": tag})
        assert none.status_code == 412, tag
    missing = await client.patch("/v1/limits/none", json={}, headers={"If-Match": "*"})
    assert missing.status_code == 404


async def test_limits_come_in_pages_by_name(client: httpx.AsyncClient):
    for name in ("b", "c", "a"):
        await client.put(f"/v1/limits/{name}", json={})
    page = (await client.get("/v1/limits", params={"limit": 2})).json()
    assert [limit["name"] for limit in page["items"]] == ["a", "b"]
    rest = (await client.get("/v1/limits", params={"limit": 2, "cursor": page["next"]})).json()
    assert ([limit["name"] for limit in rest["items"]], rest["next"]) == (["c"], None)
    for cursor in ("?", "AA"):
        wrong = await client.get("/v1/limits", params={"cursor": cursor})
        assert wrong.status_code == 422


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ([], ""),
        ({"per_key": {}}, ""),
        ({"concurrency": 0}, "/concurrency"),
        ({"rate": [{"count": 1, "per_seconds": 1, "smooth": 1}]}, "/rate/0/smooth"),
        ({"slowed_until": "soon"}, "/slowed_until"),
    ],
)
async def test_a_limit_that_cannot_be_is_pointed_at(
    client: httpx.AsyncClient, settings: object, pointer: str
):
    answer = await client.put("/v1/limits/acme", json=settings)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_queue_says_what_each_key_is_allowed(client: httpx.AsyncClient):
    per_key = {"concurrency": 1, "rate": [{"count": 5, "per_seconds": 1}]}
    made = await client.put("/v1/queues/email", json={"per_key": per_key})
    assert made.status_code == 201, made.text
    assert made.json()["per_key"] == per_key
    assert (made.json()["slowed_until"], made.json()["slowed_reason"]) == (None, None)
    for wrong, pointer in (({}, "/per_key"), ({"concurrency": 0}, "/per_key/concurrency")):
        answer = await client.patch(
            "/v1/queues/email", json={"per_key": wrong}, headers={"If-Match": "*"}
        )
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_task_shows_that_it_waits_for_its_key(client: httpx.AsyncClient, worker: Worker):
    await client.put("/v1/limits/acme", json={"concurrency": 2})
    first = await submit(client, limit_key="acme", cost=2)
    assert (first["status"], first["limit_key"], first["cost"]) == ("queued", "acme", 2)
    second = await submit(client, limit_key="acme")
    third = await submit(client, limit_key="acme")
    worker.value("select count(*) from pgqueue_private.claim_limited(%s, 'default', 10)", worker.id)
    assert (await client.get(f"/v1/tasks/{first['id']}")).json()["status"] == "active"
    fourth = await submit(client, limit_key="acme")
    bulk = await client.post(
        "/v1/tasks/bulk", json={"tasks": [{"type": "noop", "limit_key": "acme"}, {"type": "noop"}]}
    )
    stored = [item["task"] for item in bulk.json()["items"]]
    assert [task["status"] for task in (fourth, *stored)] == ["blocked", "blocked", "queued"]
    for task in (second, third, fourth):
        read = (await client.get(f"/v1/tasks/{task['id']}")).json()
        assert read["status_reason"] == "waits for room under its limit_key acme"
    listed = (await client.get("/v1/tasks", params={"status": "blocked"})).json()["items"]
    assert len(listed) == 4


@pytest.mark.parametrize("wrong", [{"limit_key": ""}, {"cost": 0}, {"cost": 32_768}])
async def test_a_key_or_a_cost_that_cannot_be_is_pointed_at(
    client: httpx.AsyncClient, wrong: dict[str, object]
):
    answer = await client.post("/v1/tasks", json={"type": "noop", **wrong})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{next(iter(wrong))}"]
