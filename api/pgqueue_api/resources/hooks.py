"""/v1/hooks/{source}: webhooks of other services, stored unchanged and answered at once."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from litestar import Request
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import PathParameter
from pydantic import Field

from pgqueue.errors import PgQueueError
from pgqueue.models.base import Record, Uuid
from pgqueue_api.http import bodies
from pgqueue_api.http.answers import Json
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.problems import Invalid, TooLarge
from pgqueue_api.services import Services
from pgqueue_api.submit.store import store
from pgqueue_api.submit.submission import check

__all__ = ["ROUTES"]

_TYPE = "webhook_processing"
_KEPT = frozenset(
    (
        *("content-type", "user-agent"),
        *("webhook-id", "webhook-timestamp", "webhook-signature"),
        *("x-hub-signature-256", "x-github-event", "x-github-delivery"),
        "stripe-signature",
    )
)
"""No cookies and no authorization: everyone who reads tasks can read payloads."""

_SIGNATURES = ("webhook-signature", "x-hub-signature-256", "stripe-signature")
_BODY_KNOWN_DAYS = 30

Source = Annotated[
    str,
    PathParameter(
        description="The name of the sender, which selects settings of the worker.",
        pattern="^[a-z0-9][a-z0-9-]{0,49}$",
        examples=[Example(value="github")],
    ),
]


class HookTaken(Record):
    """The task that a received webhook was stored as."""

    id: Uuid = Field(description="The id of the task.")


@operation(
    "POST /v1/hooks/{source:str}",
    Answer(202, "Stored.", {"Location": "The path of the task."}),
    tag="tasks",
    problems=(401, 403, 413, 422),
    body={"*/*": {"type": "string"}},
    body_required=False,
    public=True,  # for the sources that are named in the settings: see below
    any_query=True,  # services add parameters of their own to the URL that they were given
)
async def receive_hook(
    source: Source, request: Request[Any, Any, Any], services: NamedDependency[Services]
) -> Json[HookTaken]:
    """Receive a webhook of another service.

    It is stored as a task of the type `webhook_processing`, with the exact body and the headers of
    its signature, and answered at once. The worker verifies the signature (Standard Webhooks,
    GitHub, Stripe), maps its fields and forwards them. One that was received before is answered
    with its task, and not processed again unless that has failed.

    A service that cannot send an API key may send to the sources that `PGQUEUE_API_HOOK_SOURCES`
    names; for others the caller needs the scope `tasks:write`.
    """
    bounds = services.bounds
    headers = dict(request.scope["headers"])
    user_id = 0
    if source not in bounds.hook_sources:
        user_id = (await services.gate.admit("tasks:write", "POST", headers)).user_id
    content = await bodies.read(request.receive, headers, bounds.hook_body, bounds.body_s)
    now = await services.reads.row("clock")
    assert now is not None
    payload: dict[str, Any] = {
        "source": source,
        "headers": {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in headers.items()
            if name.decode("latin-1") in _KEPT
        },
        "received_at": int(now["now"].timestamp()),
        **_text(content),
    }
    kind = services.registry.known(_TYPE) or await services.registry.find(_TYPE)
    if len(orjson.dumps(payload)) > bounds.payload:
        raise TooLarge(f"the webhook does not fit into a payload of {bounds.payload:,} bytes")
    raw = {"type": _TYPE, "payload": payload, **_known_by(source, payload["headers"], content)}
    submission = check(raw, kind, services.registry.budgets, None, bounds.payload)
    (outcome,) = await store(services, user_id, [submission])
    if isinstance(outcome, PgQueueError):
        raise outcome
    return Json(orjson.dumps({"id": outcome.id}), Location=f"/v1/tasks/{outcome.id}")


ROUTES = [receive_hook]


def _known_by(source: str, headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
    """Return the options that make one task of a webhook, however often it comes.

    It is known by what a valid signature covers: whoever replays it can change the rest.
    """
    schemes = [name for name in _SIGNATURES if name in headers]
    if len(schemes) > 1:
        raise Invalid(
            "the webhook has signatures of several schemes",
            errors=[{"parameter": name, "message": "send one of them"} for name in schemes],
        )
    if not schemes:
        return {}  # the worker refuses it
    signed, days = b"", 0
    match schemes[0]:
        case "webhook-signature":
            id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
            signed = f"{id}.{_number(at)}".encode()
        case "stripe-signature":
            parts = [one.strip().partition("=") for one in headers["stripe-signature"].split(",")]
            signed = ".".join(_number(value) for key, _, value in parts if key == "t").encode()
        case _:
            days = _BODY_KNOWN_DAYS
    digest = hashlib.sha256(b"%d.%s.%s" % (len(signed), signed, content)).hexdigest()
    return {"dedup_key": f"hook:{source}:{digest}", "dedup_window_s": days * 86_400 or 3600}


def _number(text: str) -> str:
    """Return a timestamp as the worker reads it: 0123 is 123."""
    return str(int(text)) if text.isascii() and text.isdigit() and len(text) <= 12 else text


def _text(content: bytes) -> dict[str, str]:
    """Return the body as text if text can hold it byte for byte, else in base64."""
    if b"\0" not in content:
        try:
            return {"body": content.decode()}
        except UnicodeDecodeError:
            pass
    return {"body_base64": base64.b64encode(content).decode()}
