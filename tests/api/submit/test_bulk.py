"""POST /v1/tasks/bulk."""

import asyncio

import httpx
import pytest

from tests.api.submit.test_submit import JSON, POISON
from tests.api.worker import Worker


async def bulk(client: httpx.AsyncClient, tasks: list, **headers: str) -> dict:
    answer = await client.post("/v1/tasks/bulk", json={"tasks": tasks}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_each_task_of_many_gets_its_own_answer_in_order(client: httpx.AsyncClient):
    result = await bulk(
        client,
        [
            {"type": "noop", "payload": {"n": 1}},
            {"type": "unknown"},
            {"type": "sleep", "payload": {"delay_ms": "soon"}},
            {"type": "noop", "queue": "a,b"},
            {"type": "noop", "payload": {"n": 2}},
        ],
    )
    assert (result["accepted"], result["refused"]) == (2, 3)
    first, unknown, unfit, shapeless, last = result["items"]
    assert first["ok"]
    assert first["task"]["payload"] == {"n": 1}
    assert (await client.get(f"/v1/tasks/{last['id']}")).json() == last["task"]
    assert unknown["problem"]["code"] == "unknown_type"
    assert unfit["problem"]["errors"][0]["pointer"] == "/tasks/2/payload/delay_ms"
    assert shapeless["problem"]["errors"][0]["pointer"] == "/tasks/3/queue"


async def test_a_thousand_tasks_are_stored_in_their_order(
    client: httpx.AsyncClient, worker: Worker
):
    result = await bulk(client, [{"type": "noop", "payload": {"n": n}} for n in range(1000)])
    assert result["accepted"] == 1000
    stored = worker.rows("select id::text, payload from pgqueue.tasks order by id")
    assert [row["payload"]["n"] for row in stored] == [*range(1000)]
    assert [row["id"] for row in stored] == [item["id"] for item in result["items"]]


async def test_a_task_that_only_postgresql_refuses_is_refused_alone(client: httpx.AsyncClient):
    grows = [1e308] * 20_000
    result = await bulk(client, [{"type": "noop"}, {"type": "noop", "payload": {"a": grows}}] * 3)
    assert [item["ok"] for item in result["items"]] == [True, False] * 3
    assert result["items"][1]["problem"]["status"] == 422


TAKEN = {"type": "noop", "dedup_key": "k", "on_conflict": "reject"}


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
@pytest.mark.parametrize(
    ("tasks", "refusal"),
    [
        ([{"type": "noop"}, {"type": "typo", "depends_on": [0]}], (422, "/tasks/1")),
        ([{"type": "typo"}, {"type": "noop", "depends_on": [0]}], (422, "/tasks/0")),
        ([{"type": "typo", "depends_on": [1]}, {"type": "noop"}], (422, "/tasks/0")),
        ([{"type": "noop"}, {"type": "noop", "depends_on": {}}], (422, "/tasks/1/depends_on")),
        ([{"type": "noop"}, {"type": "noop", "depends_on": [2]}], (422, "/tasks/1/depends_on/0")),
        ([{"type": "noop"}, {"type": "noop", "depends_on": [1]}], (422, None)),
        (
            [{"type": "noop"}, {"type": "sleep", "payload": {"delay_ms": ""}, "depends_on": [0]}],
            (422, "/tasks/1/payload/delay_ms"),
        ),
        (
            [
                {"type": "noop"},
                {"type": "noop", "payload": {"n": [1e308] * 20_000}},
                {"type": "noop", "depends_on": [0]},
            ],
            (422, None),
        ),
        ([TAKEN, {"type": "noop", "depends_on": [0]}], (409, None)),
        ([{"type": "noop"}, {**TAKEN, "depends_on": [0]}], (409, None)),
        ([{"type": "noop"}, TAKEN, {"type": "noop", "depends_on": [0]}], (409, None)),
    ],
)
async def test_of_a_flow_in_which_one_task_is_refused_nothing_is_stored(
    client: httpx.AsyncClient,
    worker: Worker,
    tasks: list,
    refusal: tuple[int, str | None],
    headers: dict[str, str],
):
    assert (await client.post("/v1/tasks", json=TAKEN)).status_code == 201
    answer = await client.post("/v1/tasks/bulk", json={"tasks": tasks}, headers=headers)
    places = [place["pointer"] for place in answer.json().get("errors", []) if "pointer" in place]
    assert (answer.status_code, next(iter(places), None)) == refusal, answer.text
    assert worker.value("select count(*) from pgqueue.tasks") == 1
    right = [{"type": "noop"}, {"type": "noop", "depends_on": [0]}]
    assert (await bulk(client, right, **headers))["accepted"] == 2, "the key is free"


@pytest.mark.parametrize(
    "body",
    [{}, [], {"tasks": []}, {"tasks": {}}, {"tasks": [{}], "more": 1}, {"tasks": [{}] * 1001}],
)
async def test_another_shape_or_number_is_refused_as_a_whole(client: httpx.AsyncClient, body):
    answer = await client.post("/v1/tasks/bulk", json=body)
    assert answer.status_code == 422


@pytest.mark.parametrize("body", POISON.values(), ids=POISON.keys())
async def test_poison_among_many_never_breaks_the_service(client: httpx.AsyncClient, body):
    content = b'{"tasks":[{"type":"noop"},' + body + b"]}"
    answer = await client.post("/v1/tasks/bulk", content=content, headers=JSON)
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 200:
        assert [item["ok"] for item in answer.json()["items"]] == [True, False]


async def test_a_body_of_more_than_4_mib_is_413(client: httpx.AsyncClient):
    content = b'{"tasks":[' + b" " * (4 * 1024 * 1024) + b"]}"
    answer = await client.post("/v1/tasks/bulk", content=content, headers=JSON)
    assert answer.status_code == 413


async def test_a_payload_of_more_than_256_kib_is_refused_among_many(client: httpx.AsyncClient):
    result = await bulk(client, [{"type": "noop", "payload": {"a": "x" * 256 * 1024}}])
    assert result["items"][0]["problem"]["code"] == "payload_invalid"


async def test_others_are_answered_while_many_tasks_are_refused(client: httpx.AsyncClient):
    wrong = {"type": "noop", "tags": [5] * 100, **{f"k{n}": n for n in range(100)}}
    bulked = asyncio.create_task(bulk(client, [wrong] * 300))
    while not bulked.done():
        answered = (await client.get("/healthz")).status_code
        if not bulked.done():  # it was answered in between
            break
    assert not bulked.done()
    assert answered == 200
    assert (await bulked)["refused"] == 300
