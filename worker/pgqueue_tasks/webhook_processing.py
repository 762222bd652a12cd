"""`webhook_processing`: verify who sent a webhook, map its fields, forward them."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from importlib import import_module
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pgqueue import Context, Retry, Settings

from ._hooks.models import Forwarded, HookPayload, HookResult
from ._hooks.settings import Source
from ._hooks.signatures import verify
from ._sandbox import sandboxed
from .errors import EngineFailed, InputRefused

if TYPE_CHECKING:
    from pgqueue_worker.outbound import Answer

__all__ = ["HookPayload", "HookResult", "webhook_processing"]

_CPU_SECONDS = 5
_MAX_MAPPED = 128 * 1024
_MAX_SAID = 1024
_LONGEST_S = 3600.0


async def webhook_processing(ctx: Context, payload: HookPayload) -> HookResult | Retry:
    """Verify, map and forward; raise InputRefused if it is not signed or the receiver refuses it.

    If the receiver is busy (429, 503), the task tries again when it says so; if it fails, at the
    next attempt. The receiver may get a webhook twice, with the same `webhook-id`: the task's id.
    """
    source = Source.named(payload.source)
    body = _body(payload)
    verify(source, payload.headers, body, _received_at(ctx, payload))
    ctx.progress(20, f"signed by {payload.source}")
    fields = payload.map or source.map
    mapped = None if fields is None else await _mapped(ctx, fields, body)
    forwarded = None
    url = payload.forward_url or source.forward_url
    if url is not None:
        answer = await _forward(ctx, url, payload, body if mapped is None else _encoded(mapped))
        busy = _judged(answer)
        if busy is not None:
            return busy
        said = answer.body[:_MAX_SAID].decode(errors="replace").replace("\0", "\ufffd")
        forwarded = Forwarded(status=answer.status, took_s=round(answer.took_s, 4), body=said)
    return HookResult(
        source=payload.source, verified_by=source.scheme, mapped=mapped, forwarded=forwarded
    )


def _received_at(ctx: Context, payload: HookPayload) -> float:
    """Return when it arrived, by the database's clock: at the latest when the task was created."""
    if payload.received_at is not None:
        return payload.received_at
    return (UUID(ctx.task_id).int >> 80) / 1000  # the milliseconds of a UUIDv7


def _body(payload: HookPayload) -> bytes:
    if payload.body is not None:
        return payload.body.encode()
    try:
        return base64.b64decode(payload.body_base64 or "", validate=True)
    except ValueError:
        raise InputRefused("body_base64: this is not base64") from None


async def _mapped(ctx: Context, fields: dict[str, str], body: bytes) -> dict[str, Any]:
    data = await sandboxed(
        ctx,
        "_hooks.mapping:map_fields",
        fields,
        body,
        memory_limit="256MiB",
        cpu_limit=_CPU_SECONDS,
        output_limit=_MAX_MAPPED,
    )
    mapped: dict[str, Any] = json.loads(data)
    return mapped


def _encoded(mapped: dict[str, Any]) -> bytes:
    return json.dumps(mapped).encode()


async def _forward(ctx: Context, url: str, payload: HookPayload, body: bytes) -> Answer:
    outbound = import_module("pgqueue_worker.outbound")  # only once there is something to send
    kind = payload.headers.get("content-type", "")
    if not (kind.isascii() and kind.isprintable() and kind.strip()):
        kind = "application/octet-stream"  # no header can carry the one that was given
    if payload.map is not None or body[:1] in (b"{", b"["):
        kind = "application/json"
    headers = {"Content-Type": kind, "webhook-id": ctx.task_id, "webhook-source": payload.source}
    client = outbound.Outbound(outbound.Allowed.parse(Settings().outbound_allow_hosts))
    try:
        answer: Answer = await client.request("POST", url, headers=headers, content=body)
    except outbound.Refused as error:
        raise InputRefused(f"forward_url: {error}") from None
    except outbound.OutboundError as error:
        raise EngineFailed(f"not forwarded: {error}") from None
    return answer


def _judged(answer: Answer) -> Retry | None:
    status = answer.status
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        text = answer.headers.get("retry-after", "")
        after = min(float(text), _LONGEST_S) if text.isascii() and text.isdigit() else None
        said = f"the receiver answered {status}"
        if after and status == HTTPStatus.TOO_MANY_REQUESTS:
            return Retry(after=after, reason=said, slow="queue")
        return Retry(after=after, reason=said)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise EngineFailed(f"the receiver answered {status}")
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        raise InputRefused(f"the receiver answered {status}")
    return None
