"""What webhook_processing takes for true, what it makes of it, and where it sends it."""

import base64
import contextlib
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime

import pytest
from pgqueue_tasks import webhook_processing as module
from pgqueue_tasks._hooks.settings import Source
from pgqueue_tasks.errors import EngineFailed, InputRefused
from pgqueue_tasks.webhook_processing import HookPayload, webhook_processing
from standardwebhooks.webhooks import Webhook

from pgqueue import Retry
from tests.tasks.recording import RecordingContext
from tests.worker.outbound.origin import Origin, Reply

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes, ok").decode()
BODY = json.dumps({"action": "opened", "issue": {"id": 7, "labels": [{"name": "bug"}]}})
NOW = int(time.time())


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("PGQUEUE_HOOK_SHOP_SECRET", SECRET)
    monkeypatch.setenv("PGQUEUE_HOOK_GITHUB_SECRET", "the-github-secret")
    monkeypatch.setenv("PGQUEUE_HOOK_GITHUB_SECRET_OLD", "old-one")
    monkeypatch.setenv("PGQUEUE_HOOK_STRIPE_SECRET", "whsec_stripe")
    monkeypatch.setenv("PGQUEUE_OUTBOUND_ALLOW_HOSTS", "127.0.0.1")


@pytest.fixture
def origin():
    origin = Origin()
    yield origin
    origin.close()


def standard(body, at=NOW):
    moment = datetime.fromtimestamp(at, UTC)
    signature = Webhook(SECRET).sign("msg_1", moment, body)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,bm9uZQ== {signature}",
    }


def github(body, secret="the-github-secret"):
    digest = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    return {"x-hub-signature-256": f"sha256={digest}", "x-github-event": "issues"}


def stripe(body, at=NOW, secret="whsec_stripe"):
    digest = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={at},v1={'0' * 64},v1={digest},v0=x"}


SIGNED = {"shop": standard, "github": github, "stripe": stripe}


def hook(source="github", body=BODY, headers=None, **more):
    payload = {"source": source, "body": body, "received_at": NOW}
    payload["headers"] = SIGNED[source](body) if headers is None else headers
    return HookPayload.model_validate(payload | more)


async def run(*arguments, **more):
    return await webhook_processing(RecordingContext(), hook(*arguments, **more))


@pytest.mark.parametrize(
    ("source", "scheme"), [("shop", "standard"), ("github", "github"), ("stripe", "stripe")]
)
async def test_a_webhook_that_is_signed_is_taken_and_nothing_but_it(source, scheme):
    assert (await run(source)).verified_by == scheme
    headers = SIGNED[source](BODY)
    for body in (BODY + " ", BODY.replace("7", "8"), ""):
        with pytest.raises(InputRefused, match="no signature matches"):
            await run(source, body, headers)
    with pytest.raises(InputRefused, match="not signed"):
        await run(source, headers={})
    for name in headers:
        if "signature" in name:
            with pytest.raises(InputRefused):
                await run(source, headers=headers | {name: "v1=,=,é v1, t=1"})


@pytest.mark.parametrize("sign", [standard, stripe])
async def test_the_age_of_a_signature_counts_from_when_it_came(sign):
    source = "shop" if sign is standard else "stripe"
    late = sign(BODY, NOW - 86_400)
    assert await run(source, headers=late, received_at=NOW - 86_399)
    for received_at in (NOW - 86_400 + 301, NOW - 86_400 - 301):
        with pytest.raises(InputRefused, match="five minutes"):
            await run(source, headers=late, received_at=received_at)


async def test_a_source_without_a_secret_is_refused_and_no_secret_is_told(monkeypatch):
    payload = HookPayload.model_validate({"source": "nobody", "body": "x"})
    with pytest.raises(InputRefused, match="PGQUEUE_HOOK_NOBODY_SECRET"):
        await webhook_processing(RecordingContext(), payload)
    monkeypatch.setenv("PGQUEUE_HOOK_SHOP_SECRET", "not base64!")
    with pytest.raises(EngineFailed) as broken:
        await run("shop", headers=standard(BODY))
    assert "not base64!" not in str(broken.value)


async def test_a_body_that_is_no_text_is_verified_byte_by_byte():
    raw = b"\xff\x00{}"
    digest = hmac.new(b"old-one", raw, hashlib.sha256).hexdigest()
    payload = {
        "source": "github",
        "headers": {"x-hub-signature-256": f"sha256={digest}"},
        "body_base64": base64.b64encode(raw).decode(),
    }
    result = await webhook_processing(RecordingContext(), HookPayload.model_validate(payload))
    assert result.verified_by == "github"


async def test_fields_are_mapped_and_forwarded_as_json(origin):
    fields = {"id": "issue.id", "labels": "issue.labels[].name", "who": "sender.login"}
    result = await run(map=fields, forward_url=origin.url(path="/in"))
    assert result.mapped == {"id": 7, "labels": ["bug"], "who": None}
    assert (result.forwarded.status, result.forwarded.body) == (200, "thanks")
    (came,) = origin.received
    assert json.loads(came.body) == result.mapped
    assert came.headers["Content-Type"] == "application/json"
    assert came.headers["webhook-id"] == RecordingContext().task_id
    assert "x-hub-signature-256" not in {name.lower() for name in came.headers}


async def test_what_a_source_has_by_default_comes_from_the_environment(origin, monkeypatch):
    monkeypatch.setenv("PGQUEUE_HOOK_GITHUB_MAP", '{"action": "action"}')
    monkeypatch.setenv("PGQUEUE_HOOK_GITHUB_FORWARD_URL", origin.url())
    assert (await run()).mapped == {"action": "opened"}
    assert json.loads(origin.received[0].body) == {"action": "opened"}


async def test_without_a_map_the_body_is_forwarded_as_it_came(origin):
    await run(forward_url=origin.url())
    assert origin.received[0].body == BODY.encode()


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("a[", "map, x: "),
        ("nope(@)", "map, x: "),
        ("abs('a')", "map, x: "),
    ],
)
async def test_a_map_that_is_none_is_refused(expression, said):
    with pytest.raises(InputRefused, match=said):
        await run(map={"x": expression})


async def test_a_map_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr(module, "_CPU_SECONDS", 1)
    with pytest.raises(InputRefused, match=r"memory|processor time"):
        await run(map={"x": "@" + " | [@,@][]" * 60})


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest", "http://localhost:1/", "http://10.0.0.1/"]
)
async def test_a_webhook_is_not_forwarded_to_the_inside(url, monkeypatch):
    monkeypatch.delenv("PGQUEUE_OUTBOUND_ALLOW_HOSTS")
    with pytest.raises(InputRefused, match="not public"):
        await run(forward_url=url)


async def test_a_receiver_that_is_busy_is_asked_again_when_it_says(origin):
    origin.reply = lambda _: Reply(429, {"Retry-After": "7"})
    again = await run(forward_url=origin.url())
    assert isinstance(again, Retry)
    assert (again.after, again.slow) == (7, "queue")
    origin.reply = lambda _: Reply(503)
    assert (await run(forward_url=origin.url())).after is None


async def test_a_receiver_that_fails_is_asked_again_and_one_that_refuses_is_not(origin):
    origin.reply = lambda _: Reply(500)
    with pytest.raises(EngineFailed, match="answered 500"):
        await run(forward_url=origin.url())
    origin.reply = lambda _: Reply(404)
    with pytest.raises(InputRefused, match="answered 404"):
        await run(forward_url=origin.url())
    origin.close()
    with pytest.raises(EngineFailed, match="not forwarded"):
        await run(forward_url=origin.url())


async def test_a_body_that_is_no_json_has_no_fields():
    with pytest.raises(InputRefused, match="not JSON"):
        await run(body="a=1", map={"a": "a"})


async def test_no_source_reads_a_variable_of_another(monkeypatch):
    read = []
    monkeypatch.setattr(
        "pgqueue_tasks._hooks.settings.os.environ",
        Recorded({"PGQUEUE_HOOK_GITHUB_SECRET_OLD": "old-one"}, read),
    )
    for name in ("github", "github-old", "github-secret", "github-secret-old", "github-map"):
        with contextlib.suppress(InputRefused):
            Source.named(name)
    assert len(read) == len(set(read))
    with pytest.raises(InputRefused, match="no secret for 'github-old'"):
        Source.named("github-old")


class Recorded(dict):
    """Variables, and the names of those that were asked for."""

    def __init__(self, values, read):
        super().__init__(values)
        self.read = read

    def get(self, name, default=None):
        self.read.append(name)
        return super().get(name, default)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"a":' * 900 + "1" + "}" * 900, "nested more than 64 levels"),
        ("[" * 100_000, "not JSON"),
        ("9" * 5000, "not JSON"),
        ('{"a": NaN}', "cannot be sent as JSON"),
        ('{"a": 1e999}', "cannot be sent as JSON"),
    ],
)
async def test_a_hostile_body_is_read_where_its_cost_is_bounded(body, said):
    with pytest.raises(InputRefused, match=said):
        await run(body=body, map={"all": "@"})


@pytest.mark.parametrize("kind", ["☃", "text/plain; charset=é", "\t", "", "text/plain"])
async def test_a_content_type_that_no_header_can_carry_is_replaced(origin, kind):
    headers = github("hello") | {"content-type": kind}
    await run(body="hello", headers=headers, forward_url=origin.url())
    expected = kind if kind == "text/plain" else "application/octet-stream"
    assert origin.received[0].headers["Content-Type"] == expected
