"""Retention over HTTP: the setting of a queue, and 410 for what had its time."""

import httpx
import pytest

from tests.api.conftest import submit
from tests.api.worker import Worker


@pytest.fixture
def pruned(worker: Worker) -> str:
    """The id of a task whose day is gone."""
    id = worker.enqueue()
    worker.claim()
    worker.finish(id)
    worker.rows("select pgqueue_private.shift_clock('9 days')")
    for day in worker.rows("select day from pgqueue_private.due_days() as day"):
        worker.rows("select * from pgqueue_private.prune_day(%s)", day["day"])
    return id


async def test_a_pruned_task_is_410_everywhere(client: httpx.AsyncClient, pruned: str):
    path = f"/v1/tasks/{pruned}"
    answers = [
        await client.get(path + part)
        for part in (
            *("", "/attempts", "/checkpoints", "/logs", "/artifacts", "/artifacts/a.pdf"),
            "/events",
        )
    ]
    answers += [await client.post(path + part) for part in ("/cancel", "/retry")]
    answers += [
        await client.patch(path, json={"priority": 1}, headers=headers)
        for headers in ({}, {"If-Match": "*"})
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (410, "task_pruned"), answer.url
        assert answer.headers["content-type"] == "application/problem+json"


async def test_an_id_of_another_day_is_still_404(client: httpx.AsyncClient, pruned: str):
    other = "019b2f6e-8a3c-7d12-8000-0a1b2c3d4e5f"
    answer = await client.get(f"/v1/tasks/{other}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_an_artifact_that_is_not_there_of_a_task_that_is_stays_404(
    client: httpx.AsyncClient,
):
    id = (await submit(client))["id"]
    assert (await client.get(f"/v1/tasks/{id}/artifacts/a")).status_code == 404


async def test_retention_is_a_setting_of_a_queue(client: httpx.AsyncClient):
    retention = {"tasks_s": 2_592_000, "events_s": 86_400, "dead_letters_s": 7_776_000}
    made = await client.put("/v1/queues/email", json={"retention": retention})
    assert (made.status_code, made.json()["retention"]) == (201, retention), made.text
    policies = (await client.get("/v1/dead-letters/policies")).json()["items"]
    assert {row["queue"]: row["retention_s"] for row in policies if row["queue"] == "email"} == {
        "email": 7_776_000
    }
    patched = await client.patch(
        "/v1/queues/email", json={"retention": None}, headers={"If-Match": made.headers["etag"]}
    )
    assert patched.json()["retention"] is None


@pytest.mark.parametrize(
    ("retention", "pointer"),
    [
        (7, "/retention"),
        ({"tasks_s": 3600}, "/retention/tasks_s"),
        ({"tasks_days": 1}, "/retention"),
        ({"events_s": "86400"}, "/retention/events_s"),
    ],
)
async def test_a_retention_that_cannot_be_is_pointed_at(
    client: httpx.AsyncClient, retention, pointer
):
    answer = await client.put("/v1/queues/email", json={"retention": retention})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)


async def test_events_longer_than_their_tasks_are_refused(client: httpx.AsyncClient):
    answer = await client.put("/v1/queues/email", json={"retention": {"events_s": 999_999}})
    assert answer.status_code == 422
    assert "events" in answer.json()["detail"] + str(answer.json())
