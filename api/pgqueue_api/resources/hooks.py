"""/v1/hooks/{source}: webhooks of others, stored as they came and answered at once."""

from __future__ import annotations

import base64
from typing import Any

import orjson
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from pgqueue_api.http import bodies
from pgqueue_api.problems import TooLarge
from pgqueue_api.services import Services
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
"""No cookies and no authorization: payloads can be read by whoever reads tasks."""


@post("/v1/hooks/{source:str}", status_code=202)
async def receive_hook(
    source: FromPath[str],
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
) -> Response[bytes]:
    """Store a webhook for the type that verifies it."""
    bounds = services.bounds
    headers = dict(request.scope["headers"])
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
        raise TooLarge("the webhook does not fit into a payload")
    submission = check(
        {"type": _TYPE, "payload": payload}, kind, services.registry.budgets, None, bounds.payload
    )
    id, _ = await services.submitter.submit(submission.element)
    return Response(
        orjson.dumps({"id": id}),
        status_code=202,
        media_type="application/json",
        headers={"Location": f"/v1/tasks/{id}"},
    )


ROUTES: list[Any] = [receive_hook]


def _text(content: bytes) -> dict[str, str]:
    """Give the body as text where it can be stored as such: byte for byte the same."""
    if b"\0" not in content:
        try:
            return {"body": content.decode()}
        except UnicodeDecodeError:
            pass
    return {"body_base64": base64.b64encode(content).decode()}
