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
