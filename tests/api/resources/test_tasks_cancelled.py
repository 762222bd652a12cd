"""Cancel and retry over HTTP."""

import httpx
import pytest

from tests.api.conftest import submit
from tests.api.worker import Worker


async def test_a_waiting_task_is_cancelled_at_once(client: httpx.AsyncClient):
    task = await submit(client)
    answer = await client.post(f"/v1/tasks/{task['id']}/cancel", json={"reason": "by mistake"})
    assert answer.status_code == 200
    assert answer.json()["status"] == "cancelled"
    assert answer.json()["status_reason"] == "by mistake"
    again = await client.post(f"/v1/tasks/{task['id']}/cancel")
    assert (again.status_code, again.json()) == (200, answer.json())


async def test_an_active_task_is_asked_to_stop(client: httpx.AsyncClient, worker: Worker):
    task = await submit(client)
    worker.claim()
    answer = await client.post(f"/v1/tasks/{task['id']}/cancel")
    assert answer.json()["status"] == "active"
    assert answer.json()["status_reason"] == "cancel requested"
    worker.finish(task["id"])
    assert (await client.get(f"/v1/tasks/{task['id']}")).json()["status"] == "cancelled"


async def test_a_finished_task_stays_what_it_is(client: httpx.AsyncClient, worker: Worker):
    task = await submit(client)
    worker.claim()
    worker.finish(task["id"])
    answer = await client.post(f"/v1/tasks/{task['id']}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")


@pytest.mark.parametrize(
    "body", [b"[]", b'{"why":1}', b'{"reason":5}', b"{", b'{"reason":"\\u0000"}', b"x" * 10_001]
)
async def test_a_reason_is_text_or_nothing(client: httpx.AsyncClient, body):
    task = await submit(client)
    answer = await client.post(
        f"/v1/tasks/{task['id']}/cancel", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (413, 422)
    assert (await client.get(f"/v1/tasks/{task['id']}")).json()["status"] == "queued"


async def test_a_cancelled_task_runs_again(client: httpx.AsyncClient, worker: Worker):
    task = await submit(client)
    await client.post(f"/v1/tasks/{task['id']}/cancel")
    answer = await client.post(f"/v1/tasks/{task['id']}/retry")
    assert (answer.status_code, answer.json()["status"]) == (200, "queued")
    assert worker.claim() == [task["id"]]


async def test_a_completed_task_cannot_be_retried(client: httpx.AsyncClient, worker: Worker):
    task = await submit(client)
    worker.claim()
    worker.finish(task["id"])
    answer = await client.post(f"/v1/tasks/{task['id']}/retry")
    assert answer.status_code == 409
    assert answer.json()["code"] == "conflict"
    assert "failed, cancelled or retrying" in answer.json()["hint"]
