"""POST /v1/hooks/{source}: taken as it came, answered at once."""

import base64

import httpx
import pytest
from pgqueue_tasks.webhook_processing import HookPayload

from tests.api.worker import Worker


@pytest.fixture
def worker(worker: Worker) -> Worker:
    worker.publish("webhook_processing", HookPayload.model_json_schema(), queue="hooks")
    return worker


async def test_a_webhook_becomes_a_task_with_its_body_as_it_came(client: httpx.AsyncClient) -> None:
    body = '{"a":  1,\n "b": "é\\u0041"}'.encode()
    answer = await client.post(
        "/v1/hooks/github",
        content=body,
        headers={
            "content-type": "application/json",
            "x-hub-signature-256": "sha256=00",
            "authorization": "Bearer secret",
            "cookie": "session=secret",
        },
    )
    assert answer.status_code == 202, answer.text
    task = (await client.get(answer.headers["location"])).json()
    assert (task["id"], task["queue"]) == (answer.json()["id"], "hooks")
    payload = task["payload"]
    assert payload["body"].encode() == body
    assert payload["headers"]["x-hub-signature-256"] == "sha256=00"
    assert "secret" not in str(payload)
    HookPayload.model_validate(payload)


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a\0b"])
async def test_a_body_that_is_no_text_is_kept_byte_for_byte(client, body: bytes) -> None:
    answer = await client.post("/v1/hooks/github", content=body)
    payload = (await client.get(answer.headers["location"])).json()["payload"]
    assert base64.b64decode(payload["body_base64"]) == body


@pytest.mark.parametrize(
    ("source", "body", "status", "code"),
    [
        ("git hub", b"{}", 422, "invalid"),
        ("GitHub", b"{}", 422, "invalid"),
        ("x" * 51, b"{}", 422, "invalid"),
        ("github", b"x" * (160 * 1024 + 1), 413, "body_too_large"),
        ("github", b"\x01" * (100 * 1024), 413, "body_too_large"),  # 6 times as long as JSON
    ],
)
async def test_what_cannot_be_taken_is_refused(client, *, source, body, status, code) -> None:
    answer = await client.post(f"/v1/hooks/{source}", content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


STANDARD = {"webhook-id": "m1", "webhook-timestamp": "1700000000", "webhook-signature": "v1,a"}
GITHUB = {"x-hub-signature-256": "sha256=aa", "x-github-delivery": "d1"}
STRIPE = {"stripe-signature": "t=1700000000,v1=aa"}


async def received(client: httpx.AsyncClient, headers: dict, body: bytes = b"{}") -> str:
    answer = await client.post("/v1/hooks/shop", content=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


@pytest.mark.parametrize(
    ("sent", "replayed"),
    [
        (STANDARD, {**STANDARD, "webhook-signature": "v1,b v1,a", "user-agent": "other"}),
        (STANDARD, {**STANDARD, "webhook-timestamp": "01700000000", "x-github-delivery": "x"}),
        (GITHUB, {**GITHUB, "x-github-delivery": "d2", "webhook-id": "m2"}),
        (STRIPE, {"stripe-signature": "v1=bb, v1=aa, t=01700000000", "webhook-id": "m2"}),
    ],
)
async def test_a_replay_is_the_task_it_was_whatever_is_changed_that_is_not_signed(
    client: httpx.AsyncClient, worker: Worker, sent: dict, replayed: dict
) -> None:
    assert await received(client, sent) == await received(client, replayed)
    assert worker.value("select count(*) from pgqueue.tasks") == 1


async def test_what_is_signed_otherwise_is_another_webhook(client: httpx.AsyncClient) -> None:
    ids = [
        await received(client, STANDARD),
        await received(client, STANDARD, b"{ }"),
        await received(client, {**STANDARD, "webhook-id": "m2"}),
        await received(client, {**STANDARD, "webhook-timestamp": "1700000001"}),
        await received(client, GITHUB),
        await received(client, GITHUB, b"{ }"),
        await received(client, STRIPE),
        await received(client, {"stripe-signature": "t=1700000001,v1=aa"}),
    ]
    assert len(set(ids)) == len(ids)


async def test_a_webhook_with_signatures_of_two_schemes_is_refused(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/v1/hooks/shop", content=b"{}", headers={**GITHUB, **STANDARD})
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 2
