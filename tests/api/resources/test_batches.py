"""/v1/batches, /v1/tasks/{id}/graph, and tasks that wait for others."""

from typing import Any

import httpx
import pytest
from pgqueue_api.server import Server

from tests.api.conftest import submit
from tests.api.sse import events
from tests.api.worker import Worker

NOBODY = "00000000-0000-7000-8000-000000000000"


async def create(client: httpx.AsyncClient, tasks: Any = 2, **fields: Any) -> dict:
    if isinstance(tasks, int):
        tasks = [{"type": "noop"}] * tasks
    given = fields if tasks is None else {"tasks": tasks, **fields}
    answer = await client.post("/v1/batches", json={"name": "b", **given})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/batches/{answer.json()['id']}"
    return answer.json()


async def bulk(client: httpx.AsyncClient, *tasks: dict) -> httpx.Response:
    return await client.post(
        "/v1/tasks/bulk", json={"tasks": [{"type": "noop", **t} for t in tasks]}
    )


async def test_a_batch_is_made_and_read(client: httpx.AsyncClient):
    batch = await create(client, 3, metadata={"month": 11})
    assert (batch["status"], batch["total"], batch["waiting"]) == ("running", 3, 3)
    assert batch["metadata"] == {"month": 11}
    assert (await client.get(f"/v1/batches/{batch['id']}")).json() == batch
    tasks = (await client.get(f"/v1/batches/{batch['id']}/tasks", params={"limit": 2})).json()
    assert [task["batch_id"] for task in tasks["items"]] == [batch["id"]] * 2
    rest = await client.get(
        f"/v1/batches/{batch['id']}/tasks", params={"cursor": tasks["next"], "status": "queued"}
    )
    assert len(rest.json()["items"]) == 1
    assert rest.json()["next"] is None


async def test_batches_are_listed_latest_first(client: httpx.AsyncClient):
    outer = await create(client, None)
    inner = await create(client, 1, parent_id=outer["id"])
    page = (await client.get("/v1/batches", params={"limit": 1})).json()
    assert [item["id"] for item in page["items"]] == [inner["id"]]
    page = (await client.get("/v1/batches", params={"cursor": page["next"]})).json()
    assert [item["id"] for item in page["items"]] == [outer["id"]]
    for params in ({"status": "open"}, {"parent_id": outer["id"]}):
        (item,) = (await client.get("/v1/batches", params=params)).json()["items"]
        assert item["id"] == (outer if "status" in params else inner)["id"]


async def test_an_open_batch_is_filled_closed_and_then_full(client: httpx.AsyncClient):
    batch = await create(client, None)
    path = f"/v1/batches/{batch['id']}"
    added = await client.post(f"{path}/tasks", json={"tasks": [{"type": "noop"}] * 2})
    assert added.status_code == 201
    assert len(added.json()["ids"]) == 2
    task = await submit(client, batch_id=batch["id"])
    assert task["batch_id"] == batch["id"]
    assert (await client.get(path)).json()["total"] == 3
    assert (await client.post(f"{path}/close")).json()["status"] == "running"
    refused = await client.post(f"{path}/tasks", json={"tasks": [{"type": "noop"}]})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    refused = await client.post("/v1/tasks", json={"type": "noop", "batch_id": batch["id"]})
    assert refused.status_code == 409


async def test_the_callbacks_of_a_batch_are_enqueued_at_its_end(
    client: httpx.AsyncClient, worker: Worker
):
    batch = await create(
        client, 1, on_success={"type": "sleep"}, on_complete={"type": "noop", "payload": {"a": 1}}
    )
    worker.finish(worker.claim(max_tasks=1)[0])
    ended = (await client.get(f"/v1/batches/{batch['id']}")).json()
    assert (ended["status"], ended["percent"], ended["failure_task_id"]) == ("completed", 100, None)
    called = (await client.get(f"/v1/tasks/{ended['success_task_id']}")).json()
    assert called["payload"]["batch_id"] == batch["id"]
    called = (await client.get(f"/v1/tasks/{ended['complete_task_id']}")).json()
    assert called["payload"] == {"a": 1}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "b", "more": 1}, ""),
        ({"name": "b", "tasks": [{"type": "noop"}, {"type": "noop", "priority": 11}]}, "/tasks/1"),
        ({"name": "b", "tasks": [{"type": "sleep", "payload": {}}]}, "/tasks/0/payload"),
        ({"name": "b", "tasks": [{"type": "noop", "depends_on": [7]}]}, "/tasks/0/depends_on/0"),
        ({"name": "b", "on_success": {"payload": {}}}, "/on_success"),
        ({"name": "b", "on_success": {"type": "sleep", "payload": {}}}, "/on_success/payload"),
        ({"name": "b", "on_failure": {"type": "noop", "depends_on": [0]}}, "/on_failure"),
    ],
)
async def test_what_cannot_be_a_batch_is_refused_whole(
    client: httpx.AsyncClient, worker: Worker, body: dict, pointer: str
):
    answer = await client.post("/v1/batches", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)
    assert worker.rows("select count(*) as n from pgqueue_private.task")[0]["n"] == 0


async def test_a_whole_batch_is_cancelled_and_retried_by_operations(
    client: httpx.AsyncClient, worker: Worker
):
    batch = await create(client, 2)
    path = f"/v1/batches/{batch['id']}"
    cancelling = await client.post(f"{path}/cancel", json={"reason": "no need"})
    assert cancelling.status_code == 201
    operation = cancelling.json()
    assert (operation["kind"], operation["matched"], operation["reason"]) == (
        "cancel",
        2,
        "no need",
    )
    assert cancelling.headers["location"] == f"/v1/operations/{operation['id']}"
    worker.rows("select * from pgqueue_private.run_operations()")
    assert (await client.get(path)).json()["status"] == "cancelled"
    retrying = await client.post(f"{path}/retry")
    assert (retrying.json()["kind"], retrying.json()["matched"]) == ("retry", 0)
    asked = {"kind": "retry", "filter": {"batch_id": batch["id"]}, "dry_run": True}
    assert (await client.post("/v1/operations", json=asked)).json()["matched"] == 0


async def test_there_is_no_such_batch(client: httpx.AsyncClient):
    for method, path in [
        ("GET", ""), ("GET", "/tasks"), ("GET", "/events"), ("POST", "/close"),
        ("POST", "/cancel"), ("POST", "/retry"),
    ]:  # fmt: skip
        answer = await client.request(method, f"/v1/batches/{NOBODY}{path}")
        assert answer.status_code == 404, (path, answer.text)
    more = await client.post(f"/v1/batches/{NOBODY}/tasks", json={"tasks": [{"type": "noop"}]})
    assert more.status_code == 404
    nested = await client.post("/v1/batches", json={"name": "b", "parent_id": NOBODY})
    assert nested.status_code == 404


async def test_the_stream_of_a_batch_shows_it_until_its_end(
    http: httpx.AsyncClient, served: Server, worker: Worker
):
    batch = await create(http, 2)
    async with events(http, f"/v1/batches/{batch['id']}/events") as stream:
        first = await stream.next()
        assert first is not None
        assert (first.name, first.data["waiting"]) == ("snapshot", 2)
        worker.finish(worker.claim(max_tasks=1)[0])
        moved = await stream.next()
        assert moved is not None
        assert (moved.name, moved.data["completed"], moved.data["percent"]) == ("progress", 1, 50)
        worker.finish(worker.claim(max_tasks=1)[0])
        *_, last = await stream.until("end")
        assert last.data["status"] == "completed"
        assert await stream.next() is None


async def test_a_task_waits_for_another(client: httpx.AsyncClient, worker: Worker):
    parent = await submit(client)
    child = await submit(client, depends_on=[{"task": parent["id"], "on_failure": "run"}])
    assert (child["status"], child["status_reason"]) == ("blocked", "waits for a task")
    worker.finish(worker.claim(max_tasks=1)[0])
    assert (await client.get(f"/v1/tasks/{child['id']}")).json()["status"] == "queued"
    late = await submit(client, depends_on=[parent["id"]])
    assert late["status"] == "queued"


async def test_tasks_of_one_request_wait_for_each_other_by_place(client: httpx.AsyncClient):
    answer = await bulk(client, {}, {"depends_on": [0]}, {"depends_on": [0, 1]})
    assert answer.status_code == 200, answer.text
    tasks = [item["task"] for item in answer.json()["items"]]
    assert [task["status"] for task in tasks] == ["queued", "blocked", "blocked"]
    graph = (await client.get(f"/v1/tasks/{tasks[1]['id']}/graph")).json()
    assert [node["status"] for node in graph["nodes"]] == ["queued", "blocked", "blocked"]
    assert [(edge["from"], edge["to"]) for edge in graph["edges"]] == [
        (tasks[0]["id"], tasks[1]["id"]),
        (tasks[0]["id"], tasks[2]["id"]),
        (tasks[1]["id"], tasks[2]["id"]),
    ]
    assert (await client.get(f"/v1/tasks/{NOBODY}/graph")).status_code in (404, 410)


@pytest.mark.parametrize(
    ("tasks", "pointer", "detail"),
    [
        ([{}, {"depends_on": [5]}], "/tasks/1/depends_on/0", "cannot depend"),
        ([{}, {"depends_on": [0, NOBODY]}], "/tasks/1/depends_on/1", "does not exist"),
        ([{"priority": 11}, {"depends_on": [0]}], "/tasks/0/priority", "stored together"),
        ([{"depends_on": [1]}, {"depends_on": [0]}], None, "0 → 1 → 0"),
    ],
)
async def test_tasks_that_wait_for_each_other_are_stored_all_or_none(
    client: httpx.AsyncClient, worker: Worker, tasks: list[dict], pointer: str | None, detail: str
):
    answer = await bulk(client, *tasks)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert detail in problem["detail"]
    if pointer:
        assert problem["errors"][0]["pointer"] == pointer
    assert worker.rows("select count(*) as n from pgqueue_private.task")[0]["n"] == 0


async def test_one_task_that_waits_for_nobody_known_is_refused(client: httpx.AsyncClient):
    for key in ({}, {"Idempotency-Key": "k"}):
        asked = {"type": "noop", "depends_on": [NOBODY]}
        answer = await client.post("/v1/tasks", json=asked, headers=key)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/depends_on/0"


async def test_a_request_sent_again_gives_the_same_tasks_that_wait(client: httpx.AsyncClient):
    asked = {"tasks": [{"type": "noop"}, {"type": "noop", "depends_on": [0]}]}
    first, again = [
        (await client.post("/v1/tasks/bulk", json=asked, headers={"Idempotency-Key": "k"})).json()
        for _ in range(2)
    ]
    assert first == again
    assert first["items"][1]["task"]["status"] == "blocked"
