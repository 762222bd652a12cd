"""The settings of a queue over HTTP, and the retry policy of a task."""

import httpx
import pytest

from tests.api.conftest import submit
from tests.api.worker import Worker

RETRY = {"kind": "fixed", "base_s": 30, "jitter": "none"}
SETTINGS = {"max_attempts": 5, "retry": RETRY, "ageing_s": 60}


async def test_a_queue_is_made_with_its_settings(client: httpx.AsyncClient):
    made = await client.put("/v1/queues/email", json=SETTINGS)
    assert (made.status_code, made.headers["location"]) == (201, "/v1/queues/email")
    assert made.headers["etag"] == '"1"'
    read = await client.get("/v1/queues/email")
    assert read.json() == made.json()
    assert {name: read.json()[name] for name in SETTINGS} == SETTINGS
    assert read.headers["etag"] == '"1"'


async def test_a_change_of_another_version_changes_nothing(client: httpx.AsyncClient):
    await client.put("/v1/queues/email", json=SETTINGS)
    for method in (client.put, client.patch):
        for tag in ('"9"', 'W/"1"', '"x"', "1"):
            stale = await method(
                "/v1/queues/email", json={"max_attempts": 7}, headers={"If-Match": tag}
            )
            assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed"), tag
    assert (await client.get("/v1/queues/email")).json()["max_attempts"] == 5


async def test_a_change_without_if_match_is_of_any_version(client: httpx.AsyncClient):
    answers = [
        await method("/v1/queues/email", json={"max_attempts": n})
        for n, method in ((1, client.put), (2, client.put), (3, client.patch))
    ]
    assert [one.status_code for one in answers] == [201, 200, 200]
    assert [one.headers["etag"] for one in answers] == ['"1"', '"2"', '"3"']
    assert answers[-1].json()["max_attempts"] == 3


async def test_a_patch_leaves_the_rest_and_a_put_does_not(client: httpx.AsyncClient):
    await client.put("/v1/queues/email", json=SETTINGS)
    patched = await client.patch(
        "/v1/queues/email",
        json={"retry": None, "max_attempts": 6},
        headers={"If-Match": '"8", "1"'},
    )
    assert (patched.status_code, patched.headers["etag"]) == (200, '"2"')
    assert {name: patched.json()[name] for name in SETTINGS} == {
        "max_attempts": 6,
        "retry": None,
        "ageing_s": 60,
    }
    put = await client.put(
        "/v1/queues/email", json={"retry": RETRY}, headers={"If-Match": patched.headers["etag"]}
    )
    assert put.status_code == 200
    assert {name: put.json()[name] for name in SETTINGS} == {
        "max_attempts": None,
        "retry": RETRY,
        "ageing_s": None,
    }
    any_version = await client.put("/v1/queues/email", json={}, headers={"If-Match": "*"})
    assert (any_version.status_code, any_version.headers["etag"]) == (200, '"4"')


async def test_a_queue_that_is_not_there_is_neither_patched_nor_matched(client: httpx.AsyncClient):
    patched = await client.patch("/v1/queues/none", json={}, headers={"If-Match": '"1"'})
    assert patched.status_code == 404
    for tag in ("*", '"1"', '"0"'):
        put = await client.put("/v1/queues/none", json={}, headers={"If-Match": tag})
        assert put.status_code == 412, tag
    assert (await client.get("/v1/queues/none")).status_code == 404


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ([], ""),
        ({"limit": 3}, ""),
        ({"max_attempts": 0}, "/max_attempts"),
        ({"max_attempts": 2.5}, "/max_attempts"),
        ({"retry": {"kind": "cubic"}}, "/retry/kind"),
        ({"retry": {"base_s": -1}}, "/retry/base_s"),
        ({"retry": {"factor": 2}}, "/retry"),
        ({"ageing_s": 0}, "/ageing_s"),
    ],
)
async def test_settings_that_cannot_be_are_pointed_at(
    client: httpx.AsyncClient, settings: object, pointer: str
):
    answer = await client.put("/v1/queues/email", json=settings)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await client.get("/v1/queues/email")).status_code == 404


@pytest.mark.parametrize("name", ["a b", "-x", "ü", "x" * 101])
async def test_a_new_queue_has_a_plain_name(client: httpx.AsyncClient, name: str):
    answer = await client.put(f"/v1/queues/{name}", json={})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "name")


async def test_attempts_are_those_of_the_task_its_type_its_queue_or_three(
    client: httpx.AsyncClient, worker: Worker
):
    worker.publish("silent", max_attempts=None)
    await client.put("/v1/queues/email", json={"max_attempts": 5})
    asked = [
        await submit(client, "silent", queue="email", max_attempts=9),
        await submit(client, "noop", queue="email"),
        await submit(client, "silent", queue="email"),
        await submit(client, "silent"),
    ]
    assert [task["max_attempts"] for task in asked] == [9, 3, 5, 3]
    for task in asked:
        assert (await client.get(f"/v1/tasks/{task['id']}")).json() == task
    kind = (await client.get("/v1/types/silent")).json()
    assert (kind["max_attempts"], kind["retry"]) == (None, None)


async def test_a_task_brings_its_own_policy_and_shows_when_it_is_tried_again(
    client: httpx.AsyncClient, worker: Worker
):
    task = await submit(client, retry=RETRY)
    assert task["retry"] == RETRY
    worker.claim()
    worker.finish(task["id"], "failed", error={"type": "E", "message": "no"})
    after = (await client.get(f"/v1/tasks/{task['id']}")).json()
    (attempt,) = (await client.get(f"/v1/tasks/{task['id']}/attempts")).json()["items"]
    assert (after["status"], after["retry"]) == ("retrying", RETRY)
    assert after["next_retry_at"] == after["run_at"]
    assert worker.value(
        "select %s::timestamptz - %s::timestamptz = interval '30 s'",
        after["next_retry_at"],
        attempt["finished_at"],
    )


async def test_a_policy_that_is_none_is_pointed_at(client: httpx.AsyncClient):
    answer = await client.post("/v1/tasks", json={"type": "noop", "retry": {"base_s": "1"}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/retry/base_s"


async def test_limits_and_pause_are_settings_of_a_queue(client: httpx.AsyncClient):
    limits = {
        "concurrency": 3,
        "rate": [{"count": 20, "per_seconds": 1}, {"count": 200, "per_seconds": 3600}],
        "fairness": {"weights": {"acme": 3}},
        "paused": True,
        "paused_by": "ada",
        "paused_reason": "the printer burns",
    }
    made = await client.put("/v1/queues/default", json=limits, headers={"If-Match": "*"})
    assert made.status_code == 200, made.text
    assert {name: made.json()[name] for name in limits} == limits
    assert made.json()["paused_at"] is not None
    task = await submit(client)
    read = (await client.get(f"/v1/tasks/{task['id']}")).json()
    since = made.json()["paused_at"][:19]
    assert read["status_reason"] == (
        f"queue default is paused by ada since {since}Z: the printer burns"
    )
    resumed = await client.patch(
        "/v1/queues/default", json={"paused": False}, headers={"If-Match": made.headers["etag"]}
    )
    assert {name: resumed.json()[name] for name in limits} == {
        **limits,
        "paused": False,
        "paused_by": None,
        "paused_reason": None,
    }


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ({"concurrency": 0}, "/concurrency"),
        ({"fairness": 1}, "/fairness"),
        ({"fairness": {"weights": {"a": 0}}}, "/fairness/weights/a"),
        ({"rate": []}, "/rate"),
        ({"rate": [{"count": 1}]}, "/rate/0"),
        ({"rate": [{"count": 0, "per_seconds": 1}]}, "/rate/0/count"),
        ({"rate": [{"count": 1, "per_seconds": 1e9}]}, "/rate/0/per_seconds"),
        ({"paused": "yes"}, "/paused"),
    ],
)
async def test_limits_that_cannot_be_are_pointed_at(
    client: httpx.AsyncClient, settings: dict, pointer: str
):
    answer = await client.put("/v1/queues/email", json=settings)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
