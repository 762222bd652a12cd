"""/v1/dead-letters and /v1/notices."""

from uuid import uuid4

import httpx
import pytest

from tests.api.worker import Worker

ERROR = {"type": "ValueError", "message": "no", "traceback": "...", "frame": "shop.charge"}


def fail(worker: Worker, message: str = "no", **options: object) -> str:
    """Let a task fail for good."""
    id = worker.enqueue(**options)
    worker.claim(str(options.get("queue", "default")))
    worker.finish(id, "failed", retry=False, error={**ERROR, "message": message})
    return id


async def listed(client: httpx.AsyncClient, **parameters: object) -> list[str]:
    """Every page of a list, by ids."""
    found: list[str] = []
    while True:
        answer = await client.get("/v1/dead-letters", params=parameters)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [letter["id"] for letter in page["items"]]
        if page["next"] is None:
            return found
        parameters["cursor"] = page["next"]


async def test_letters_are_listed_latest_first_in_pages(client: httpx.AsyncClient, worker: Worker):
    ids = [fail(worker) for _ in range(7)]
    assert await listed(client) == ids[::-1]
    assert await listed(client, limit=2) == ids[::-1]


async def test_letters_are_found_by_type_queue_fingerprint_and_time(
    client: httpx.AsyncClient, worker: Worker
):
    first, second = fail(worker, queue="a"), fail(worker, "other words", type="sleep")
    letter = (await client.get(f"/v1/dead-letters/{second}")).json()
    for parameters in (
        {"type": "sleep"},
        {"queue": "default"},
        {"fingerprint": letter["fingerprint"]},
        {"from": letter["failed_at"]},
        {"type": "sleep", "queue": "default", "fingerprint": letter["fingerprint"]},
    ):
        assert await listed(client, **parameters) == [second], parameters
    assert await listed(client, to=letter["failed_at"]) == [first]
    assert await listed(client, type="none") == []


async def test_a_letter_says_all_of_its_task(client: httpx.AsyncClient, worker: Worker):
    id = fail(worker, payload='{"order": 17}')
    letter = (await client.get(f"/v1/dead-letters/{id}")).json()
    task = (await client.get(f"/v1/tasks/{id}")).json()
    assert letter["error"] == ERROR == task["error"]
    assert letter["failed_at"] == task["finished_at"]
    for name in ("type", "queue", "payload", "attempt", "max_attempts", "created_at", "timeout_s"):
        assert letter[name] == task[name], name


async def test_a_redrive_answers_with_the_task_that_runs_now(
    client: httpx.AsyncClient, worker: Worker
):
    id = fail(worker)
    answer = await client.post(f"/v1/dead-letters/{id}/redrive")
    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["redriven_as"]) == (id, id)
    assert answer.json()["task"]["status"] == "queued"
    assert (await client.post(f"/v1/dead-letters/{id}/redrive")).status_code == 404


async def test_a_letter_whose_day_is_gone_is_redriven_as_a_new_task(
    client: httpx.AsyncClient, worker: Worker
):
    id = fail(worker, payload='{"order": 17}')
    worker.rows("truncate pgqueue_private.task, pgqueue_private.attempt")
    answer = (await client.post(f"/v1/dead-letters/{id}/redrive")).json()
    assert answer["id"] == id != answer["redriven_as"] == answer["task"]["id"]
    assert (answer["task"]["payload"], answer["task"]["status"]) == ({"order": 17}, "queued")


async def test_a_deleted_letter_is_gone_and_its_task_stays_failed(
    client: httpx.AsyncClient, worker: Worker
):
    id = fail(worker)
    answer = await client.delete(f"/v1/dead-letters/{id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await client.delete(f"/v1/dead-letters/{id}")).status_code == 404
    assert (await client.get(f"/v1/dead-letters/{id}")).status_code == 404
    assert (await client.get(f"/v1/tasks/{id}")).json()["status"] == "failed"


async def test_groups_count_failures_of_one_kind(client: httpx.AsyncClient, worker: Worker):
    for n in range(3):
        last = fail(worker, f"order {n} is gone")
    fail(worker, "other")
    page = (await client.get("/v1/dead-letters/groups")).json()
    assert [group["count"] for group in page["items"]] == [3, 1]
    assert (page["items"][0]["example_id"], page["searched_until"]) == (last, None)
    chosen = page["items"][1]["fingerprint"]
    page = (await client.get("/v1/dead-letters/groups", params={"fingerprint": chosen})).json()
    assert [group["fingerprint"] for group in page["items"]] == [chosen]


@pytest.mark.parametrize(
    "parameters",
    [{"cursor": "x"}, {"cursor": "1.x"}, {"fingerprint": "x"}, {"from": "noon"}, {"limit": 0}],
)
async def test_a_parameter_that_cannot_be_right_is_422(client: httpx.AsyncClient, parameters):
    answer = await client.get("/v1/dead-letters", params=parameters)
    assert answer.status_code == 422
    assert [error["parameter"] for error in answer.json()["errors"]] == [*parameters]


async def test_an_unknown_letter_is_404(client: httpx.AsyncClient):
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/redrive")):
        answer = await client.request(method, f"/v1/dead-letters/{uuid4()}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_policy_is_changed_in_part_and_reset(client: httpx.AsyncClient):
    path = "/v1/dead-letters/policies"
    usual = {"queue": "*", "retention_s": 2_592_000, "growth_limit": 1000, "alert_type": None}
    assert (await client.get(path)).json()["items"] == [usual]
    answer = await client.patch(f"{path}/email", json={"growth_limit": 5})
    own = {"queue": "email", "retention_s": None, "growth_limit": 5, "alert_type": None}
    assert answer.json()["items"] == [usual, own]
    answer = await client.patch(f"{path}/email", json={"retention_s": 7200, "alert_type": "page"})
    own |= {"retention_s": 7200, "alert_type": "page"}
    assert answer.json()["items"][1] == own
    assert (await client.patch(f"{path}/*", json={"growth_limit": 9})).status_code == 200
    for queue in ("email", "*", "none"):
        assert (await client.delete(f"{path}/{queue}")).status_code == 204
    assert (await client.get(path)).json()["items"] == [usual]
    for wrong in ({}, {"growth_limit": 0}, {"retention_s": 1}, {"colour": 1}, []):
        assert (await client.patch(f"{path}/email", json=wrong)).status_code == 422, wrong


async def test_growth_is_a_notice_and_a_metric(client: httpx.AsyncClient, worker: Worker):
    await client.patch("/v1/dead-letters/policies/*", json={"growth_limit": 1})
    for queue in ("a", "b", "a", "b"):
        fail(worker, queue=queue)
    worker.rows("select * from pgqueue_private.watch_dead_letters()")
    page = (await client.get("/v1/notices", params={"limit": 1})).json()
    (notice,) = page["items"]
    assert (notice["kind"], notice["queue"]) == ("dead_letters_growing", "b")
    page = (await client.get("/v1/notices", params={"cursor": page["next"]})).json()
    assert ([n["queue"] for n in page["items"]], page["next"]) == (["a"], None)
    metrics = (await client.get("/metrics")).text
    assert 'pgqueue_dead_letters{queue="a"} 2.0' in metrics
    assert 'pgqueue_dead_letters_growing{queue="a"} 1.0' in metrics
