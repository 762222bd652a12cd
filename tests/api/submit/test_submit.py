"""POST /v1/tasks."""

import asyncio

import httpx
import orjson
import pytest
from pgqueue_api.app import Api

from tests.api.conftest import submit
from tests.api.worker import Worker

JSON = {"content-type": "application/json"}


async def test_a_submitted_task_is_answered_as_it_is_read(client: httpx.AsyncClient):
    answer = await client.post("/v1/tasks", json={"type": "noop", "payload": {"order": 7}})
    assert answer.status_code == 201
    task = answer.json()
    assert answer.headers["location"] == f"/v1/tasks/{task['id']}"
    assert task["status"] == "queued"
    assert task["payload"] == {"order": 7}
    assert (await client.get(answer.headers["location"])).json() == task


async def test_a_delayed_task_is_answered_as_it_is_read(client: httpx.AsyncClient):
    delayed = await submit(client, delay_s=3600)
    dated = await submit(client, run_at="2030-01-02T03:04:05+02:00")
    for task in (delayed, dated):
        assert task["status"] == "scheduled"
        assert (await client.get(f"/v1/tasks/{task['id']}")).json() == task
    assert dated["run_at"] == "2030-01-02T01:04:05.000000Z"


async def test_a_task_that_expires_is_answered_as_it_is_read(client: httpx.AsyncClient):
    relative = await submit(client, expires_in_s=3600, delay_s=5)
    dated = await submit(client, expires_at="2030-01-02T03:04:05+02:00")
    for task in (relative, dated):
        assert (await client.get(f"/v1/tasks/{task['id']}")).json() == task
    assert relative["expires_at"] > relative["run_at"]
    assert dated["expires_at"] == "2030-01-02T01:04:05.000000Z"


async def test_an_expiry_is_given_once(client: httpx.AsyncClient):
    body = {"type": "noop", "expires_in_s": 1, "expires_at": "2030-01-02T03:04:05Z"}
    answer = await client.post("/v1/tasks", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/expires_in_s"


async def test_a_time_that_has_passed_runs_at_once(client: httpx.AsyncClient):
    task = await submit(client, run_at="2020-01-01T00:00:00Z")
    assert task["status"] == "queued"
    assert (await client.get(f"/v1/tasks/{task['id']}")).json() == task


@pytest.mark.parametrize(
    ("given", "stored"),
    [("high", 2), ("normal", 5), ("low", 8), (0, 0), (10, 10), (None, 5), (7.0, 7)],
)
async def test_a_priority_is_a_word_or_a_number(client: httpx.AsyncClient, given, stored):
    assert (await submit(client, priority=given))["priority"] == stored


async def test_what_is_not_given_comes_from_the_type(client: httpx.AsyncClient, worker: Worker):
    worker.publish("mail", queue="mails", max_attempts=7)
    task = await submit(client, "mail")
    assert (task["queue"], task["max_attempts"], task["payload"]) == ("mails", 7, {})
    assert (await client.get(f"/v1/tasks/{task['id']}")).json() == task


async def test_an_unknown_type_is_refused_with_the_nearest_names(client: httpx.AsyncClient):
    answer = await client.post("/v1/tasks", json={"type": "slep"})
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "unknown_type"
    assert "sleep" in problem["hint"]


async def test_a_type_published_a_moment_ago_is_known(client: httpx.AsyncClient, worker: Worker):
    for type in ("fresh", "fresher"):
        answer = await client.post("/v1/tasks", json={"type": type})
        assert answer.json()["code"] == "unknown_type"
        worker.publish(type)
        await submit(client, type=type)
    worker.publish("bulky")
    answer = await client.post("/v1/tasks/bulk", json={"tasks": [{"type": "bulky"}]})
    assert answer.json()["accepted"] == 1


async def test_a_bulk_of_unknown_types_does_not_read_the_list_for_each(
    client: httpx.AsyncClient, app: Api, monkeypatch: pytest.MonkeyPatch
):
    readings = []
    load = app.services.registry._load
    monkeypatch.setattr(app.services.registry, "_load", lambda: readings.append(1) or load())
    tasks = [{"type": f"unknown-{n}"} for n in range(50)]
    answer = await client.post("/v1/tasks/bulk", json={"tasks": tasks})
    assert answer.json()["refused"] == 50
    assert 1 <= len(readings) <= 2  # one is of the loop that reads it every few seconds


async def test_a_payload_that_its_schema_refuses_is_answered_with_pointers(
    client: httpx.AsyncClient,
):
    answer = await client.post(
        "/v1/tasks", json={"type": "sleep", "payload": {"delay_ms": -1, "more": 1}}
    )
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "payload_invalid"
    assert {error["pointer"] for error in problem["errors"]} == {"/payload", "/payload/delay_ms"}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ([], ""),
        ({"type": ""}, "/type"),
        ({"type": "x" * 101}, "/type"),
        ({"type": 5}, "/type"),
        ({"type": "noop", "unknown": 1}, ""),
        ({"type": "noop", "priority": 11}, "/priority"),
        ({"type": "noop", "priority": "urgent"}, "/priority"),
        ({"type": "noop", "priority": True}, "/priority"),
        ({"type": "noop", "queue": ""}, "/queue"),
        ({"type": "noop", "queue": "a,b"}, "/queue"),
        ({"type": "noop", "queue": "a\n"}, "/queue"),
        ({"type": "noop", "max_attempts": 0}, "/max_attempts"),
        ({"type": "noop", "max_attempts": 1001}, "/max_attempts"),
        ({"type": "noop", "timeout_s": 0}, "/timeout_s"),
        ({"type": "noop", "timeout_s": 1e300}, "/timeout_s"),
        ({"type": "noop", "delay_s": -1}, "/delay_s"),
        ({"type": "noop", "delay_s": 1e300}, "/delay_s"),
        ({"type": "noop", "run_at": "tomorrow"}, "/run_at"),
        ({"type": "noop", "run_at": "2030-01-02T03:04:05"}, "/run_at"),
        ({"type": "noop", "run_at": "0001-01-01T00:00:00+14:00"}, "/run_at"),
        ({"type": "noop", "run_at": "2030-01-01T00:00:00Z", "delay_s": 1}, "/delay_s"),
    ],
)
async def test_a_task_of_another_shape_is_refused_at_its_place(
    client: httpx.AsyncClient, body, pointer
):
    answer = await client.post("/v1/tasks", json=body)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "invalid"
    assert pointer in [error["pointer"] for error in problem["errors"]]


DEEP = b'{"type":"noop","payload":{"a":' + b"[" * 63 + b"1" + b"]" * 63 + b"}}"
DEEPER = b'{"type":"noop","payload":{"a":' + b"[" * 64 + b"1" + b"]" * 64 + b"}}"

POISON = {
    "not JSON": b'{"type": "noop"',
    "nothing": b"",
    "a NUL escape": b'{"type":"noop","payload":{"a":"\\u0000"}}',
    "a NUL escape in a key": b'{"type":"noop","payload":{"\\u0000":1}}',
    "a NUL byte": b'{"type":"noop","payload":{"a":"\x00"}}',
    "a lone surrogate": b'{"type":"noop","payload":{"a":"\\ud800"}}',
    "a lone low surrogate": b'{"type":"noop","payload":{"a":"\\udc00"}}',
    "bytes that are not UTF-8": b'{"type":"noop","payload":{"a":"\xff"}}',
    "a surrogate in UTF-8": b'{"type":"noop","payload":{"a":"\xed\xa0\x80"}}',
    "a byte order mark": b'\xef\xbb\xbf{"type":"noop"}',
    "NaN": b'{"type":"noop","payload":{"a":NaN}}',
    "Infinity": b'{"type":"noop","payload":{"a":-Infinity}}',
    "1e4300": b'{"type":"noop","payload":{"x":1e4300}}',
    "1e400": b'{"type":"noop","payload":{"x":-1e400}}',
    "an integer beyond 64 bits": b'{"type":"noop","payload":{"x":18446744073709551616}}',
    "an integer of 5000 digits": b'{"type":"noop","payload":{"x":' + b"1" * 5000 + b"}}",
    "nesting one too deep": DEEPER,
    "nesting of 1000": b'{"type":"noop","payload":{"a":' + b"[" * 1000 + b"]" * 1000 + b"}}",
    "nesting of 100000": b"[" * 100_000,
    "nested objects": b'{"type":"noop","payload":' + b'{"a":' * 70 + b"1" + b"}" * 71,
    # numeric spells it out: 20,000 numbers of 309 digits
    "a payload that grows when stored": b'{"type":"noop","payload":{"a":['
    + b",".join([b"1e308"] * 20_000)
    + b"]}}",
    "a type with a NUL": b'{"type":"no\\u0000op"}',
    "a year that PostgreSQL knows and Python does not": (
        b'{"type":"noop","run_at":"29999-01-01T00:00:00Z"}'
    ),
    "a leap second": b'{"type":"noop","run_at":"2030-12-31T23:59:60Z"}',
}


@pytest.mark.parametrize("body", POISON.values(), ids=POISON.keys())
async def test_poison_is_refused_and_the_next_task_is_stored(client: httpx.AsyncClient, body):
    answer = await client.post("/v1/tasks", content=body, headers=JSON)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 422
    await submit(client)


HARMLESS = {
    "nesting as deep as may be": DEEP,
    "the largest integer": b'{"type":"noop","payload":{"x":18446744073709551615}}',
    "the smallest integer": b'{"type":"noop","payload":{"x":-9223372036854775808}}',
    "digits in a string": b'{"type":"noop","payload":{"x":"' + b"1" * 5000 + b'"}}',
    "an escaped backslash before u0000": b'{"type":"noop","payload":{"x":"\\\\u0000"}}',
    "a surrogate pair": b'{"type":"noop","payload":{"x":"\\ud83d\\ude00"}}',
    "a long fraction": b'{"type":"noop","payload":{"x":0.12345678901234567890123456789}}',
    "a number that is almost zero": b'{"type":"noop","payload":{"x":1e-4300}}',
}


@pytest.mark.parametrize("body", HARMLESS.values(), ids=HARMLESS.keys())
async def test_what_looks_like_poison_is_stored_as_it_came(client: httpx.AsyncClient, body):
    answer = await client.post("/v1/tasks", content=body, headers=JSON)
    assert answer.status_code == 201, answer.text
    stored = (await client.get(answer.headers["location"])).json()
    assert stored["payload"] == orjson.loads(body)["payload"]


async def test_of_a_key_that_comes_twice_what_was_checked_is_stored(client: httpx.AsyncClient):
    body = b'{"type":"sleep","payload":{"delay_ms":"no","delay_ms":5}}'
    answer = await client.post("/v1/tasks", content=body, headers=JSON)
    stored = (await client.get(answer.headers["location"])).json()
    assert stored["payload"] == {"delay_ms": 5}
    body = b'{"type":"sleep","payload":{"delay_ms":5,"delay_ms":"no"}}'
    assert (await client.post("/v1/tasks", content=body, headers=JSON)).status_code == 422


async def test_a_body_of_more_than_256_kib_is_413(client: httpx.AsyncClient):
    for size, status in ((256 * 1024, 201), (256 * 1024 + 1, 413)):
        frame = b'{"type":"noop","payload":{"a":""}}'
        body = frame[:-3] + b"x" * (size - len(frame)) + frame[-3:]
        answer = await client.post("/v1/tasks", content=body, headers=JSON)
        assert answer.status_code == status, answer.text
    assert answer.json()["code"] == "body_too_large"


async def test_a_body_without_an_announced_length_is_bounded_too(client: httpx.AsyncClient):
    async def endless():
        for _ in range(1000):
            yield b"x" * 1024

    answer = await client.post("/v1/tasks", content=endless(), headers=JSON)
    assert answer.status_code == 413


async def test_a_body_that_is_not_declared_as_json_is_415(client: httpx.AsyncClient):
    for headers in ({}, {"content-type": "text/plain"}, {"content-type": "application/xml"}):
        answer = await client.post("/v1/tasks", content=b'{"type":"noop"}', headers=headers)
        assert answer.status_code == 415
        assert answer.json()["code"] == "unsupported_media_type"


async def test_what_waits_is_stored_in_one_statement(client: httpx.AsyncClient, app: Api):
    tasks = await asyncio.gather(*(submit(client, payload={"n": n}) for n in range(200)))
    assert len({task["id"] for task in tasks}) == 200
    assert [task["payload"]["n"] for task in tasks] == [*range(200)]
    sample = app.services.metrics.registry.get_sample_value
    assert sample("pgqueue_api_enqueue_flush_size_count") < 100


async def test_one_bad_task_among_many_is_refused_alone(client: httpx.AsyncClient, worker: Worker):
    grows = POISON["a payload that grows when stored"]
    answers = await asyncio.gather(
        *(client.post("/v1/tasks", json={"type": "noop", "payload": {"n": n}}) for n in range(30)),
        client.post("/v1/tasks", content=grows, headers=JSON),
        *(client.post("/v1/tasks", json={"type": "noop", "payload": {"n": n}}) for n in range(30)),
    )
    assert [answer.status_code for answer in answers] == [201] * 30 + [422] + [201] * 30
    assert worker.value("select count(*) from pgqueue.tasks") == 60


async def test_workers_are_rung_after_the_commit(client: httpx.AsyncClient, worker: Worker):
    worker.rows("select pgqueue_private.listen('test', 'pgqueue_ready', 60)")
    worker.rows("listen pgqueue_ready")
    await submit(client, queue="bells")

    def heard() -> str:
        return next(worker.connection.notifies(timeout=45)).payload

    assert await asyncio.to_thread(heard) == "bells"


@pytest.mark.parametrize("payload", [None, 0, False, "", [], "text", 1.5, [None], {"a": None}])
async def test_a_payload_is_any_json_value_that_its_type_takes(
    client: httpx.AsyncClient, worker: Worker, payload: object
):
    worker.publish("any", {})
    task = await submit(client, type="any", payload=payload)
    assert (task["payload"], type(task["payload"])) == (payload, type(payload))
    assert (await client.get(f"/v1/tasks/{task['id']}")).json() == task
    bulk = {"tasks": [{"type": "any", "payload": payload}]}
    (item,) = (await client.post("/v1/tasks/bulk", json=bulk)).json()["items"]
    assert item["task"]["payload"] == payload
    made = {"name": "s", "cron": "0 0 1 1 *", "type": "any", "payload": payload}
    schedule = (await client.post("/v1/schedules", json=made)).json()
    assert (schedule["payload"], type(schedule["payload"])) == (payload, type(payload))
    for change, expected in (({"payload": 7}, 7), ({"payload": payload}, payload)):
        changed = await client.patch(
            "/v1/schedules/s", json=change, headers={"if-match": f'"{schedule["version"]}"'}
        )
        schedule = changed.json()
        assert schedule["payload"] == expected, schedule
    refused = await client.post("/v1/tasks", json={"type": "noop", "payload": 7})
    assert refused.json()["errors"][0]["pointer"] == "/payload"


async def test_no_number_of_a_task_is_nan_infinite_or_too_large(client: httpx.AsyncClient):
    names = ["priority", "max_attempts", "timeout_s", "delay_s", "expires_in_s", "cost"]
    for name in [*names, "payload"]:
        for number in ("NaN", "Infinity", "-Infinity", "1e400", "1e30"):
            if (name, number) == ("payload", "1e30"):
                continue
            content = f'{{"type": "noop", "{name}": {number}}}'
            answer = await client.post("/v1/tasks", content=content, headers=JSON)
            assert answer.status_code in (400, 422), (content, answer.text)
            assert answer.json()["detail"]
