"""Tags over HTTP."""

import httpx
import pytest

from tests.api.conftest import submit
from tests.api.worker import Worker


async def with_tags(client: httpx.AsyncClient, *tags: str, **filters: str) -> list[str]:
    answer = await client.get("/v1/tasks", params={"tag": list(tags), **filters})
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_a_task_shows_its_tags_from_its_submit_on(client: httpx.AsyncClient):
    task = await submit(client, tags=["urgent", "tenant:7"])
    assert task["tags"] == ["urgent", "tenant:7"]
    assert (await client.get(f"/v1/tasks/{task['id']}")).json()["tags"] == ["urgent", "tenant:7"]
    plain = await submit(client)
    assert plain["tags"] == (await client.get(f"/v1/tasks/{plain['id']}")).json()["tags"] == []


async def test_a_list_has_the_tasks_with_all_of_the_tags(client: httpx.AsyncClient, worker: Worker):
    a = await submit(client, tags=["a"])
    odd = "b & c\tcaf\u00e9\u00a0\u200d"
    both = await submit(client, "sleep", payload={"delay_ms": 1}, tags=[odd, "a"])
    await submit(client)
    assert await with_tags(client, "a") == [both["id"], a["id"]]
    assert await with_tags(client, "a", odd) == [both["id"]]
    assert await with_tags(client, "a", "z") == []
    assert await with_tags(client, "a", type="noop") == [a["id"]]
    assert await with_tags(client, "a", status="failed") == []
    worker.value("select pgqueue.cancel(%s)", a["id"])
    assert await with_tags(client, "a", status="cancelled") == [a["id"]]


@pytest.mark.parametrize("tags", [["x"] * 21, [""], ["x" * 101], "x", [7]])
async def test_tags_out_of_range_are_422(client: httpx.AsyncClient, tags: object):
    answer = await client.post("/v1/tasks", json={"type": "noop", "tags": tags})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/tags")


@pytest.mark.parametrize("query", ["tag=", "tag=" + "x" * 101, "tag=%00", "tag=x&" * 21])
async def test_a_filter_that_no_tag_can_match_is_422(client: httpx.AsyncClient, query: str):
    answer = await client.get(f"/v1/tasks?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "tag"


async def test_bulk_batches_and_schedules_take_tags(client: httpx.AsyncClient):
    tagged = {"type": "noop", "tags": ["t"]}
    bulk = await client.post("/v1/tasks/bulk", json={"tasks": [tagged]})
    assert bulk.status_code == 200, bulk.text
    batch = await client.post("/v1/batches", json={"name": "b", "tasks": [tagged]})
    assert batch.status_code == 201, batch.text
    schedule = {"name": "s", "cron": "0 0 1 1 *", **tagged}
    made = await client.post("/v1/schedules", json=schedule)
    assert made.status_code == 201, made.text
    assert made.json()["tags"] == ["t"]
    triggered = await client.post("/v1/schedules/s/trigger")
    assert triggered.json()["tags"] == ["t"]
    assert len(await with_tags(client, "t")) == 3
