"""dedup_key over HTTP: the first is 201, the others 200."""

import asyncio
from collections.abc import Callable

import httpx
import psycopg
import pytest
from pgqueue_api.app import Api

from tests.api.submit.test_bulk import bulk
from tests.api.worker import Worker

KEY = {"type": "noop", "dedup_key": "k"}
UNCHANGED = ("id", "payload", "status", "created_at")


async def submit(client: httpx.AsyncClient, **fields: object) -> httpx.Response:
    return await client.post("/v1/tasks", json={**KEY, **fields})


async def test_the_first_is_created_and_the_others_are_given_it(
    client: httpx.AsyncClient, worker: Worker
):
    first = await submit(client, payload={"n": 1})
    again = await submit(client, payload={"n": 2})
    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["deduplicated"], again.json()["deduplicated"]) == (False, True)
    assert again.headers["location"] == first.headers["location"]
    assert again.json() == {**first.json(), "deduplicated": True}
    read = (await client.get(first.headers["location"])).json()
    assert read == {name: value for name, value in first.json().items() if name != "deduplicated"}
    assert read["dedup_key"] == "k"
    assert worker.value("select count(*) from pgqueue_private.task") == 1


async def test_a_task_without_a_key_says_nothing_of_it(client: httpx.AsyncClient):
    answer = await client.post("/v1/tasks", json={"type": "noop"})
    assert "deduplicated" not in answer.json()
    assert answer.json()["dedup_key"] is None


async def test_32_clients_at_once_make_one_task(
    connect_http: Callable[[], httpx.AsyncClient], worker: Worker
):
    async with connect_http() as client:
        answers = await asyncio.gather(*(submit(client) for _ in range(32)))
    assert sorted(answer.status_code for answer in answers) == [200] * 31 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert worker.value("select count(*) from pgqueue_private.task") == 1


async def test_the_answer_is_the_other_as_it_stands(client: httpx.AsyncClient, worker: Worker):
    await submit(client)
    worker.claim()
    assert (await submit(client)).json()["status"] == "active"


async def test_reject_is_a_conflict_that_names_the_other(client: httpx.AsyncClient):
    first = await submit(client)
    for headers in ({}, {"idempotency-key": "i"}):
        body = {**KEY, "on_conflict": "reject"}
        answer = await client.post("/v1/tasks", json=body, headers=headers)
        assert answer.status_code == 409
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert (problem["code"], problem["task_id"]) == ("duplicate", first.json()["id"])
    assert (await submit(client, type="sleep", payload={"delay_ms": 1})).status_code == 201


async def test_replace_and_debounce_change_the_other(client: httpx.AsyncClient):
    first = (await submit(client, payload={"v": 1}, delay_s=60)).json()
    moved = await submit(client, payload={"v": 2}, delay_s=3600, on_conflict="debounce")
    assert (moved.status_code, moved.json()["id"]) == (200, first["id"])
    assert moved.json()["run_at"] > first["run_at"]
    now = (await submit(client, payload={"v": 3}, on_conflict="replace")).json()
    assert (now["id"], now["status"], now["payload"]) == (first["id"], "queued", {"v": 3})


async def test_a_replacing_payload_is_checked_like_any(client: httpx.AsyncClient):
    sleep = {"type": "sleep", "on_conflict": "replace"}
    first = await submit(client, payload={"delay_ms": 1}, **sleep)
    answer = await submit(client, payload={"delay_ms": "soon"}, **sleep)
    assert (answer.status_code, answer.json()["code"]) == (422, "payload_invalid")
    read = await client.get(first.headers["location"])
    assert read.json()["payload"] == {"delay_ms": 1}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"dedup_key": ""}, "/dedup_key"),
        ({"dedup_key": "x" * 256}, "/dedup_key"),
        ({"dedup_key": 7}, "/dedup_key"),
        ({"dedup_key": None, "dedup_window_s": 5}, "/dedup_window_s"),
        ({"dedup_scope": "user"}, "/dedup_scope"),
        ({"dedup_statuses": []}, "/dedup_statuses"),
        ({"dedup_statuses": ["done"]}, "/dedup_statuses/0"),
        ({"dedup_window_s": 0}, "/dedup_window_s"),
        ({"on_conflict": "overwrite"}, "/on_conflict"),
        ({"on_conflict": "debounce"}, "/on_conflict"),
    ],
)
async def test_what_cannot_be_right_is_refused_at_its_place(
    client: httpx.AsyncClient, fields: dict, pointer: str
):
    answer = await submit(client, **fields)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_key_that_is_null_is_none(client: httpx.AsyncClient):
    for _ in range(2):
        assert (await submit(client, dedup_key=None, on_conflict=None)).status_code == 201


async def test_of_many_each_gets_its_own_answer(client: httpx.AsyncClient, worker: Worker):
    known = (await submit(client)).json()
    result = await bulk(
        client,
        [
            {"type": "noop", "payload": {"n": 0}},
            {**KEY, "payload": {"n": 1}},
            {"type": "noop", "dedup_key": "new"},
            {**KEY, "on_conflict": "reject"},
            {"type": "noop", "dedup_key": "new"},
            {"type": "unknown", "dedup_key": "k"},
            {"type": "noop", "dedup_key": "late", "run_at": "9999-06-01T00:00:00Z"},
            {"type": "noop", "dedup_key": "last"},
        ],
    )
    items = result["items"]
    assert [item["ok"] for item in items] == [*[True] * 3, False, True, False, False, True]
    flags = [item["task"].get("deduplicated") for item in items if item["ok"]]
    assert flags == [None, True, False, True, False]
    assert items[1]["id"] == known["id"] == items[3]["problem"]["task_id"]
    assert items[2]["id"] == items[4]["id"]
    codes = [item["problem"]["code"] for item in items if not item["ok"]]
    assert codes == ["duplicate", "unknown_type", "usage"]
    assert result["accepted"] == 5
    assert worker.value("select count(*) from pgqueue_private.task") == 4


async def test_a_replay_answers_as_the_first_time_whatever_the_dedup_key_says_now(
    client: httpx.AsyncClient, worker: Worker
):
    first = await client.post("/v1/tasks", json=KEY, headers={"idempotency-key": "a"})
    other = await client.post("/v1/tasks", json=KEY, headers={"idempotency-key": "b"})
    assert (first.status_code, other.status_code) == (201, 200)
    worker.claim()
    worker.finish(first.json()["id"])
    for key, status in (("a", 201), ("b", 200)):
        replay = await client.post("/v1/tasks", json=KEY, headers={"idempotency-key": key})
        assert (replay.status_code, replay.json()["id"]) == (status, first.json()["id"])
        assert replay.json()["deduplicated"] == (status == 200)
        assert replay.headers["idempotent-replayed"] == "true"
    assert worker.value("select count(*) from pgqueue_private.task") == 1
    anew = await client.post("/v1/tasks", json=KEY, headers={"idempotency-key": "c"})
    assert (anew.status_code, anew.json()["id"] == first.json()["id"]) == (201, False)


async def test_many_under_an_idempotency_key_are_replayed_with_their_verdicts(
    client: httpx.AsyncClient, worker: Worker
):
    tasks = [KEY, {"type": "noop"}, KEY, {**KEY, "on_conflict": "reject"}, {"type": "unknown"}]
    key = {"idempotency-key": "many"}
    first, again = await bulk(client, tasks, **key), await bulk(client, tasks, **key)
    assert first == again
    assert [item["ok"] for item in first["items"]] == [True, True, True, False, False]
    flags = [item["task"].get("deduplicated") for item in first["items"][:3]]
    assert flags == [False, None, True]
    assert first["items"][3]["problem"]["task_id"] == first["items"][0]["id"]
    assert worker.value("select count(*) from pgqueue_private.task") == 2


async def test_who_waits_for_a_key_holds_up_nobody_else(
    app: Api, client: httpx.AsyncClient, database: str
):
    with psycopg.connect(database) as holder:
        holder.execute("select pgqueue.enqueue('noop', dedup_key => 'k')")
        waiting = [asyncio.create_task(submit(client)) for _ in range(6)]
        with psycopg.connect(database, autocommit=True) as looker:
            blocked = """select count(*) = 4 from pg_stat_activity
                         where wait_event_type = 'Lock' and datname = current_database()"""
            while not looker.execute(blocked).fetchone()[0]:
                await asyncio.sleep(0.01)
        one = await client.post("/v1/tasks", json={"type": "noop"})
        assert one.status_code == 201
        cancelled = await client.post(f"/v1/tasks/{one.json()['id']}/cancel")
        assert cancelled.json()["status"] == "cancelled"
        assert not any(task.done() for task in waiting)
    answers = await asyncio.gather(*waiting)
    assert {answer.status_code for answer in answers} == {200}


async def test_a_client_may_wait_for_the_end_of_the_other(
    client: httpx.AsyncClient, worker: Worker
):
    first = (await submit(client)).json()
    worker.claim()
    worker.finish(first["id"])
    body = {**KEY, "dedup_statuses": ["completed"]}
    answer = await client.post("/v1/tasks", json=body, headers={"prefer": "wait=5"})
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["deduplicated"]) == ("completed", True)
    assert answer.headers["preference-applied"] == "wait=5"
