"""Why a task waits, over HTTP."""

import httpx

from tests.api.conftest import submit
from tests.api.worker import Worker

NONE = "00000000-0000-7000-8000-000000000000"


async def test_a_task_that_waits_says_why_and_until_when(client: httpx.AsyncClient, worker: Worker):
    task = await submit(client, delay_s=3600)
    worker.rows("select pgqueue.pause('default', 'the printer burns', 'ada')")
    answer = await client.get(f"/v1/tasks/{task['id']}/explain")
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["id"], said["status"], said["earliest_start_at"]) == (
        task["id"],
        "scheduled",
        None,
    )
    assert said["why"] == said["reasons"][0]["message"]
    assert said["why"].startswith("Queue default was paused by ada at ")
    reasons = {reason["code"]: reason for reason in said["reasons"]}
    assert [*reasons] == ["paused", "scheduled"]
    assert reasons["scheduled"]["earliest_start_at"] == task["run_at"]


async def test_a_task_that_ended_says_so_and_an_unknown_one_is_not_found(
    client: httpx.AsyncClient, worker: Worker
):
    task = await submit(client)
    worker.claim()
    assert (await client.get(f"/v1/tasks/{task['id']}/explain")).json()["status"] == "active"
    worker.finish(task["id"])
    said = (await client.get(f"/v1/tasks/{task['id']}/explain")).json()
    assert [reason["code"] for reason in said["reasons"]] == ["completed"]
    assert (await client.get(f"/v1/tasks/{NONE}/explain")).status_code == 404
