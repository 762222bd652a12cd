"""/v1/webhooks: subscriptions with ETags, secrets on demand, and the log of what was sent."""

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.api.conftest import submit
from tests.api.worker import Worker

URL = "https://example.com/hooks"


async def made(client: httpx.AsyncClient, **fields: object) -> dict:
    answer = await client.post("/v1/webhooks", json={"url": URL, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_webhook_is_made_read_changed_and_deleted(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/webhooks", json={"url": URL, "events": ["task.failed"]})
    assert answer.status_code == 201
    path, hook = answer.headers["Location"], answer.json()
    assert answer.headers["ETag"] == '"1"'
    assert (
        hook.items()
        >= {
            "url": URL,
            "events": ["task.failed"],
            "queues": None,
            "types": None,
            "enabled": True,
            "version": 1,
        }.items()
    )
    assert "whsec_" not in answer.text
    assert (await client.get(path)).json() == hook
    assert (await client.get("/v1/webhooks")).json() == {"items": [hook]}

    change = {"enabled": False, "queues": ["email"]}
    stale = await client.patch(path, json=change, headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    changed = await client.patch(path, json=change, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert (changed.json()["enabled"], changed.json()["queues"]) == (False, ["email"])
    assert changed.json()["disabled_reason"] == "by hand"

    assert (await client.delete(path, headers={"If-Match": '"1"'})).status_code == 412
    assert (await client.patch(path, json={"types": ["noop"]})).headers["ETag"] == '"3"'
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404
    assert (await client.delete(path, headers={"If-Match": "*"})).status_code == 404


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"url": "ftp://example.com"}, "/url"),
        ({"url": "https://user@example.com"}, "/url"),
        ({"url": "https://example.com/\n"}, "/url"),
        ({"events": []}, "/events"),
        ({"events": ["task.exploded"]}, "/events/0"),
        ({"types": [""]}, "/types/0"),
        ({"secret": "whsec_mine"}, ""),
    ],
)
async def test_what_cannot_be_is_pointed_at(
    client: httpx.AsyncClient, fields: dict, pointer: str
) -> None:
    answer = await client.post("/v1/webhooks", json={"url": URL, **fields})
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("whose", ["webhook", "callbacks"])
async def test_secrets_are_read_on_demand_and_replaced_with_an_overlap(
    client: httpx.AsyncClient, whose: str
) -> None:
    path = "/v1/webhooks/" + (whose if whose == "callbacks" else (await made(client))["id"])
    first = await client.get(f"{path}/secret")
    assert first.headers["Cache-Control"] == "no-store"
    (old,) = first.json()["items"]
    assert Webhook(old["secret"])
    assert old["expires_at"] is None
    answer = await client.post(f"{path}/secret/rotate", json={"overlap_s": 60})
    new, older = answer.json()["items"]
    assert (older["secret"], new["expires_at"]) == (old["secret"], None)
    assert older["expires_at"] is not None
    answer = await client.post(f"{path}/secret/rotate", json={"overlap_s": 0})
    assert len(answer.json()["items"]) == 1
    answer = await client.post(f"{path}/secret/rotate", json={"overlap_s": -1})
    assert answer.status_code == 422


async def test_a_task_with_a_callback_url_is_told_of_in_the_log(
    client: httpx.AsyncClient, worker: Worker
) -> None:
    task = await submit(client, callback_url="https://caller.example/done")
    assert task["callback_url"] == "https://caller.example/done"
    assert (await client.get(f"/v1/tasks/{task['id']}")).json().items() >= task.items()
    worker.claim()
    worker.finish(task["id"])
    path = "/v1/webhooks/callbacks/deliveries"
    (sent,) = (await client.get(path)).json()["items"]
    assert (
        sent.items()
        >= {
            "event": "task.completed",
            "subject_id": task["id"],
            "webhook_id": None,
            "url": "https://caller.example/done",
            "status": "pending",
            "attempts": 0,
            "tries": [],
        }.items()
    )
    assert (await client.get(f"{path}/{sent['id']}")).json() == sent
    other = (await made(client))["id"]
    assert (await client.get(f"/v1/webhooks/{other}/deliveries/{sent['id']}")).status_code == 404
    assert (await client.post(f"{path}/{sent['id']}/redeliver")).status_code == 409
    bad = await client.post("/v1/tasks", json={"type": "noop", "callback_url": "nowhere"})
    assert bad.json()["errors"][0]["pointer"] == "/callback_url"


async def test_the_log_is_read_by_pages_and_by_status(
    client: httpx.AsyncClient, worker: Worker
) -> None:
    hook = await made(client)
    path = f"/v1/webhooks/{hook['id']}/deliveries"
    for _ in range(5):
        id = worker.enqueue()
        worker.claim()
        worker.finish(id)
    ids = [item["id"] for item in (await client.get(path)).json()["items"]]
    assert len(ids) == 5
    worker.rows(
        "select pgqueue_private.record_delivery(%s, 'delivered', %s)",
        ids[1],
        '{"response_status": 200, "duration_s": 0.25, "response": "ok"}',
    )
    first = (await client.get(path, params={"limit": 3})).json()
    second = (await client.get(path, params={"limit": 3, "cursor": first["next"]})).json()
    assert [item["id"] for item in first["items"] + second["items"]] == ids
    assert second["next"] is None
    (done,) = (await client.get(path, params={"status": "delivered"})).json()["items"]
    assert (done["id"], done["response_status"], done["duration_s"]) == (ids[1], 200, 0.25)
    page = (await client.get(path, params={"status": "pending", "limit": 4})).json()
    assert len(page["items"]) == 4
    again = await client.post(f"{path}/{ids[1]}/redeliver")
    assert (again.status_code, again.json()["status"]) == (200, "pending")
    assert again.json()["id"] == ids[1]


async def test_a_webhook_can_be_tried_out(client: httpx.AsyncClient) -> None:
    hook = await made(client, events=["task.failed"])
    answer = await client.post(f"/v1/webhooks/{hook['id']}/test")
    assert (answer.status_code, answer.json()["event"]) == (200, "webhook.test")


async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    none = "/v1/webhooks/01900000-0000-7000-8000-000000000000"
    for method, path in (
        ("GET", ""),
        ("GET", "/secret"),
        ("GET", "/deliveries"),
        ("POST", "/test"),
        ("GET", "/deliveries/01900000-0000-7000-8000-000000000000"),
        ("POST", "/deliveries/01900000-0000-7000-8000-000000000000/redeliver"),
    ):
        assert (await client.request(method, none + path)).status_code == 404, path
    answer = await client.post(f"{none}/secret/rotate", json={})
    assert answer.status_code == 404


async def test_a_batch_takes_a_callback_url_too(client: httpx.AsyncClient, worker: Worker) -> None:
    answer = await client.post(
        "/v1/batches",
        json={"name": "b", "tasks": [{"type": "noop"}], "callback_url": "https://caller.example/b"},
    )
    assert (answer.status_code, answer.json()["callback_url"]) == (201, "https://caller.example/b")
    (id,) = worker.claim()
    worker.finish(id)
    (sent,) = (await client.get("/v1/webhooks/callbacks/deliveries")).json()["items"]
    assert (sent["event"], sent["subject_id"]) == ("batch.completed", answer.json()["id"])
    bad = await client.post("/v1/batches", json={"name": "b", "callback_url": "nowhere"})
    assert bad.status_code == 422
