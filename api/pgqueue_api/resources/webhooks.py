"""/v1/webhooks: who is told of what, its secrets, and what was sent.

``callbacks`` stands in the place of an id for the callback URLs of tasks and batches.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import jsonschema_rs
import orjson
from litestar import Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from pgqueue.errors import NotFound
from pgqueue_api.http import bodies
from pgqueue_api.http.answers import items, json_answer
from pgqueue_api.http.parameters import decode_id, encode_id
from pgqueue_api.http.preconditions import etag, if_match, needed, stale
from pgqueue_api.problems import Invalid
from pgqueue_api.schemas.webhooks import NEW_WEBHOOK, ROTATION, WEBHOOK_SETTINGS
from pgqueue_api.services import Services
from pgqueue_api.submit.types import explain

__all__ = ["ROUTES"]

AnyRequest = Request[Any, Any, Any]
Json = Response[bytes]
DeliveryStatus = Literal["pending", "delivered", "failed", "cancelled"]
Status = Annotated[DeliveryStatus | None, QueryParameter(name="status")]
Cursor = Annotated[str | None, QueryParameter(name="cursor", max_length=200)]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=200)]

_NEW = jsonschema_rs.validator_for(NEW_WEBHOOK, offline=True)
_SETTINGS = jsonschema_rs.validator_for(WEBHOOK_SETTINGS, offline=True)
_ROTATION = jsonschema_rs.validator_for(ROTATION, offline=True)
_MOST_BYTES = 100_000
_DAY_S = 86_400
_USUAL = {
    "events": ["task.completed", "task.failed", "task.cancelled"],
    "queues": None,
    "types": None,
    "description": "",
    "enabled": True,
}


@get("/v1/webhooks")
async def list_webhooks(services: NamedDependency[Services]) -> Json:
    """Give every webhook."""
    rows = await services.reads.rows("list_webhooks", {"id": None})
    return items([row["item"] for row in rows])


@post("/v1/webhooks", status_code=201)
async def create_webhook(request: AnyRequest, services: NamedDependency[Services]) -> Json:
    """Make a webhook."""
    given = await _given(request, services, _NEW, "this is no webhook")
    row = await services.writes.row("create_webhook", {**_USUAL, **given})
    assert row is not None
    answer = await _webhook(services, UUID(row["id"]))
    answer.status_code = 201
    answer.headers["Location"] = f"/v1/webhooks/{row['id']}"
    return answer


@get("/v1/webhooks/{id:uuid}")
async def get_webhook(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Give one webhook; the ETag names its version."""
    return await _webhook(services, id)


@patch("/v1/webhooks/{id:uuid}")
async def patch_webhook(
    id: FromPath[UUID], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Change what is given of a webhook."""
    given = await _given(request, services, _SETTINGS, "these are not the settings of a webhook")
    versions = await _versions(request, services, id)
    row = await services.writes.row(
        "patch_webhook",
        {"id": id, "settings": orjson.dumps(given).decode(), "versions": versions},
    )
    assert row is not None
    if row["version"] is None:
        raise stale(f"webhook {id}")
    return await _webhook(services, id)


@delete("/v1/webhooks/{id:uuid}", status_code=204)
async def delete_webhook(
    id: FromPath[UUID], request: AnyRequest, services: NamedDependency[Services]
) -> None:
    """Delete a webhook and its secrets."""
    versions = await _versions(request, services, id)
    row = await services.writes.row("delete_webhook", {"id": id, "versions": versions})
    assert row is not None
    if not row["deleted"]:
        raise stale(f"webhook {id}")


@post("/v1/webhooks/{id:uuid}/test", status_code=200)
async def test_webhook(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Send the event webhook.test."""
    row = await services.writes.row("test_webhook", {"id": id})
    assert row is not None
    return await _delivery(services, id, UUID(row["id"]))


@get("/v1/webhooks/{id:uuid}/secret")
async def get_webhook_secrets(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Give the secrets of a webhook."""
    await _webhook(services, id)
    return await _secrets(services, id)


@get("/v1/webhooks/callbacks/secret")
async def get_callback_secrets(services: NamedDependency[Services]) -> Json:
    """Give the secrets of callback URLs."""
    return await _secrets(services, None)


@post("/v1/webhooks/{id:uuid}/secret/rotate", status_code=200)
async def rotate_webhook_secret(
    id: FromPath[UUID], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Replace the secret of a webhook."""
    return await _rotate(request, services, id)


@post("/v1/webhooks/callbacks/secret/rotate", status_code=200)
async def rotate_callback_secret(request: AnyRequest, services: NamedDependency[Services]) -> Json:
    """Replace the secret of callback URLs."""
    return await _rotate(request, services, None)


@get("/v1/webhooks/{id:uuid}/deliveries")
async def list_webhook_deliveries(
    id: FromPath[UUID],
    services: NamedDependency[Services],
    status: Status = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Json:
    """Give what was sent to a webhook."""
    await _webhook(services, id)
    return await _deliveries(services, id, status, cursor, limit)


@get("/v1/webhooks/callbacks/deliveries")
async def list_callback_deliveries(
    services: NamedDependency[Services],
    status: Status = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Json:
    """Give what was sent to callback URLs."""
    return await _deliveries(services, None, status, cursor, limit)


@get("/v1/webhooks/{id:uuid}/deliveries/{delivery_id:uuid}")
async def get_webhook_delivery(
    id: FromPath[UUID], delivery_id: FromPath[UUID], services: NamedDependency[Services]
) -> Json:
    """Give one delivery."""
    return await _delivery(services, id, delivery_id)


@get("/v1/webhooks/callbacks/deliveries/{delivery_id:uuid}")
async def get_callback_delivery(
    delivery_id: FromPath[UUID], services: NamedDependency[Services]
) -> Json:
    """Give one delivery to a callback URL."""
    return await _delivery(services, None, delivery_id)


@post("/v1/webhooks/{id:uuid}/deliveries/{delivery_id:uuid}/redeliver", status_code=200)
async def redeliver_webhook(
    id: FromPath[UUID], delivery_id: FromPath[UUID], services: NamedDependency[Services]
) -> Json:
    """Send a delivery again."""
    return await _redeliver(services, id, delivery_id)


@post("/v1/webhooks/callbacks/deliveries/{delivery_id:uuid}/redeliver", status_code=200)
async def redeliver_callback(
    delivery_id: FromPath[UUID], services: NamedDependency[Services]
) -> Json:
    """Send a delivery to a callback URL again."""
    return await _redeliver(services, None, delivery_id)


ROUTES: list[Any] = [
    list_webhooks,
    create_webhook,
    get_webhook,
    patch_webhook,
    delete_webhook,
    test_webhook,
    get_webhook_secrets,
    get_callback_secrets,
    rotate_webhook_secret,
    rotate_callback_secret,
    list_webhook_deliveries,
    list_callback_deliveries,
    get_webhook_delivery,
    get_callback_delivery,
    redeliver_webhook,
    redeliver_callback,
]


async def _given(
    request: AnyRequest, services: Services, validator: jsonschema_rs.Validator, wrong: str
) -> dict[str, Any]:
    headers = dict(request.scope["headers"])
    bodies.require_json(headers)
    content = await bodies.read(request.receive, headers, _MOST_BYTES, services.bounds.body_s)
    given: dict[str, Any] = bodies.parse(content, 3)
    if not validator.is_valid(given):
        raise Invalid(wrong, errors=explain(validator, given), hint="see /docs")
    return given


async def _versions(request: AnyRequest, services: Services, id: UUID) -> list[int] | None:
    await _webhook(services, id)
    versions = if_match(request)
    if versions is None:
        raise needed(f"webhook {id}")
    return None if versions == "*" else versions


async def _webhook(services: Services, id: UUID) -> Json:
    # on the writing side: a replica for reads may be a moment behind
    row = await services.writes.row("list_webhooks", {"id": id})
    if row is None:
        raise NotFound(f"there is no webhook {id}", hint="GET /v1/webhooks lists them")
    answer = json_answer(row["item"].encode())
    answer.headers.update(etag(row["version"]))
    return answer


async def _secrets(services: Services, id: UUID | None) -> Json:
    rows = await services.writes.rows("list_webhook_secrets", {"id": id})
    answer = items([row["item"] for row in rows])
    answer.headers["Cache-Control"] = "no-store"
    return answer


async def _rotate(request: AnyRequest, services: Services, id: UUID | None) -> Json:
    given = await _given(request, services, _ROTATION, "this is no rotation")
    overlap_s = given.get("overlap_s", _DAY_S)
    await services.writes.row("rotate_webhook_secret", {"id": id, "overlap_s": float(overlap_s)})
    return await _secrets(services, id)


async def _deliveries(
    services: Services, id: UUID | None, status: str | None, cursor: str | None, limit: int
) -> Json:
    row = await services.reads.row(
        "list_deliveries",
        {"id": id, "status": status, "before": decode_id(cursor), "most": limit},
    )
    assert row is not None
    return items(row["items"], next=encode_id(row["next"]))


async def _delivery(services: Services, id: UUID | None, delivery_id: UUID) -> Json:
    row = await services.writes.row("get_delivery", {"id": delivery_id})
    if row is None or row["webhook_id"] != (None if id is None else str(id)):
        raise NotFound(f"there is no delivery {delivery_id}", hint="it was pruned, or is another's")
    return json_answer(row["state"].encode())


async def _redeliver(services: Services, id: UUID | None, delivery_id: UUID) -> Json:
    await _delivery(services, id, delivery_id)
    await services.writes.rows("redeliver", {"id": delivery_id})
    return await _delivery(services, id, delivery_id)
