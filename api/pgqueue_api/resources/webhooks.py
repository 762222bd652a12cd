"""/v1/webhooks: subscriptions to events, their secrets and deliveries.

``callbacks`` stands in the place of an id for the callback URLs of tasks and batches.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from pgqueue.errors import NotFound
from pgqueue.models.webhook import (
    DeliveryStatus,
    NewWebhook,
    SecretRotation,
    Webhook,
    WebhookDeliveries,
    WebhookDelivery,
    Webhooks,
    WebhookSecrets,
    WebhookSettings,
)
from pgqueue_api.http.answers import Json, items
from pgqueue_api.http.editable import Editable
from pgqueue_api.http.parameters import (
    Cursor,
    IfMatch,
    PageSize,
    decode_id,
    encode_id,
    id_in_path,
)
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

WebhookId = Annotated[UUID, id_in_path("The id of the webhook.")]
DeliveryId = Annotated[UUID, id_in_path("The id of the delivery: the `webhook-id` that was sent.")]
Status = Annotated[
    DeliveryStatus | None,
    QueryParameter(name="status", description="Return only deliveries with this status."),
]

_TAG = "webhooks"
_ETAG = {"ETag": "The version of the webhook."}
_AFTERWARDS = Answer(200, "The webhook afterwards.", _ETAG)
_SECRETS = Answer(200, "The secrets.")
_NEW_SECRETS = Answer(200, "The secrets afterwards.")
_DELIVERIES = Answer(200, "A page of deliveries.")
_DELIVERY = Answer(200, "The delivery.")
_ON_ITS_WAY = Answer(200, "The delivery, on its way.")
_WEBHOOKS = Editable(
    "webhook", "/v1/webhooks", "list_webhooks", "patch_webhook", "delete_webhook", key="id"
)


@operation("GET /v1/webhooks", Answer(200, "All webhooks."), tag=_TAG)
async def list_webhooks(services: NamedDependency[Services]) -> Json[Webhooks]:
    """List webhooks.

    Oldest first.
    """
    rows = await services.reads.rows("list_webhooks", {"id": None})
    return items(row["item"] for row in rows)


@operation(
    "POST /v1/webhooks",
    Answer(201, "Created.", {**_ETAG, "Location": "The path of the webhook."}),
    tag=_TAG,
    problems=(409,),
)
async def create_webhook(
    data: JSONBody[NewWebhook], services: NamedDependency[Services]
) -> Json[Webhook]:
    """Create a webhook.

    It is sent the events that happen from now on; by default those of tasks. Read its secret at
    `/secret`.
    """
    row = await services.writes.row("create_webhook", data.model_dump())
    assert row is not None
    found = await services.writes.row("list_webhooks", {"id": row["id"]})
    assert found is not None
    return _WEBHOOKS.answer(found, status=201, Location=f"/v1/webhooks/{row['id']}")


@operation(
    "GET /v1/webhooks/{id:uuid}", Answer(200, "The webhook.", _ETAG), tag=_TAG, problems=(404,)
)
async def get_webhook(id: WebhookId, services: NamedDependency[Services]) -> Json[Webhook]:
    """Read a webhook.

    Without its secrets.
    """
    return await _WEBHOOKS.get(services, id)


@operation("PATCH /v1/webhooks/{id:uuid}", _AFTERWARDS, tag=_TAG, problems=(404,))
async def patch_webhook(
    id: WebhookId,
    data: JSONBody[WebhookSettings],
    services: NamedDependency[Services],
    if_match: IfMatch = None,
) -> Json[Webhook]:
    """Change a webhook.

    What you leave out stays. Deliveries that still wait go to the new URL.
    """
    return await _WEBHOOKS.patch(services, id, data, if_match)


@operation("DELETE /v1/webhooks/{id:uuid}", Answer(204, "Deleted."), tag=_TAG, problems=(404,))
async def delete_webhook(
    id: WebhookId, services: NamedDependency[Services], if_match: IfMatch = None
) -> None:
    """Delete a webhook.

    Its secrets are deleted, too, and deliveries that still wait are cancelled.
    """
    await _WEBHOOKS.delete(services, id, if_match)


@operation("POST /v1/webhooks/{id:uuid}/test", _ON_ITS_WAY, tag=_TAG, problems=(404, 409))
async def test_webhook(id: WebhookId, services: NamedDependency[Services]) -> Json[WebhookDelivery]:
    """Send the event webhook.test.

    It is sent whatever the webhook subscribes to.
    """
    row = await services.writes.row("test_webhook", {"id": id})
    assert row is not None
    return await _delivery(services, id, UUID(row["id"]))


@operation("GET /v1/webhooks/{id:uuid}/secret", _SECRETS, tag=_TAG, problems=(404,), scope="admin")
async def get_webhook_secrets(
    id: WebhookId, services: NamedDependency[Services]
) -> Json[WebhookSecrets]:
    """Read the secrets of a webhook.

    Each event is signed with all of them: the current one and, until it expires, the one before.
    """
    await _WEBHOOKS.get(services, id)
    return await _secrets(services, id)


@operation("GET /v1/webhooks/callbacks/secret", _SECRETS, tag=_TAG, scope="admin")
async def get_callback_secrets(services: NamedDependency[Services]) -> Json[WebhookSecrets]:
    """Read the secrets of callback URLs.

    Each event is signed with all of them: the current one and, until it expires, the one before.
    """
    return await _secrets(services, None)


@operation("POST /v1/webhooks/{id:uuid}/secret/rotate", _NEW_SECRETS, tag=_TAG, problems=(404,))
async def rotate_webhook_secret(
    id: WebhookId, data: JSONBody[SecretRotation], services: NamedDependency[Services]
) -> Json[WebhookSecrets]:
    """Replace the secret of a webhook.

    Both secrets sign for `overlap_s` seconds (by default a day), so that the receiver can change
    over without a gap.
    """
    return await _rotate(services, id, data)


@operation("POST /v1/webhooks/callbacks/secret/rotate", _NEW_SECRETS, tag=_TAG)
async def rotate_callback_secret(
    data: JSONBody[SecretRotation], services: NamedDependency[Services]
) -> Json[WebhookSecrets]:
    """Replace the secret of callback URLs.

    Both secrets sign for `overlap_s` seconds (by default a day), so that the receivers can change
    over without a gap.
    """
    return await _rotate(services, None, data)


@operation("GET /v1/webhooks/{id:uuid}/deliveries", _DELIVERIES, tag=_TAG, problems=(404,))
async def list_webhook_deliveries(
    id: WebhookId,
    services: NamedDependency[Services],
    status: Status = None,
    cursor: Cursor = None,
    limit: PageSize = 50,
) -> Json[WebhookDeliveries]:
    """List the deliveries of a webhook.

    Latest first, with the responses.
    """
    await _WEBHOOKS.get(services, id)
    return await _deliveries(services, id, status, cursor, limit)


@operation("GET /v1/webhooks/callbacks/deliveries", _DELIVERIES, tag=_TAG)
async def list_callback_deliveries(
    services: NamedDependency[Services],
    status: Status = None,
    cursor: Cursor = None,
    limit: PageSize = 50,
) -> Json[WebhookDeliveries]:
    """List the deliveries to callback URLs.

    Latest first, with the responses.
    """
    return await _deliveries(services, None, status, cursor, limit)


@operation(
    "GET /v1/webhooks/{id:uuid}/deliveries/{delivery_id:uuid}",
    _DELIVERY,
    tag=_TAG,
    problems=(404,),
)
async def get_webhook_delivery(
    id: WebhookId, delivery_id: DeliveryId, services: NamedDependency[Services]
) -> Json[WebhookDelivery]:
    """Read a delivery.

    With its newest tries.
    """
    return await _delivery(services, id, delivery_id)


@operation(
    "GET /v1/webhooks/callbacks/deliveries/{delivery_id:uuid}",
    _DELIVERY,
    tag=_TAG,
    problems=(404,),
)
async def get_callback_delivery(
    delivery_id: DeliveryId, services: NamedDependency[Services]
) -> Json[WebhookDelivery]:
    """Read a delivery to a callback URL.

    With its newest tries.
    """
    return await _delivery(services, None, delivery_id)


@operation(
    "POST /v1/webhooks/{id:uuid}/deliveries/{delivery_id:uuid}/redeliver",
    _ON_ITS_WAY,
    tag=_TAG,
    problems=(404, 409),
)
async def redeliver_webhook(
    id: WebhookId, delivery_id: DeliveryId, services: NamedDependency[Services]
) -> Json[WebhookDelivery]:
    """Send a delivery again.

    It keeps its `webhook-id`. While it is still being tried, the answer is 409.
    """
    return await _redeliver(services, id, delivery_id)


@operation(
    "POST /v1/webhooks/callbacks/deliveries/{delivery_id:uuid}/redeliver",
    _ON_ITS_WAY,
    tag=_TAG,
    problems=(404, 409),
)
async def redeliver_callback(
    delivery_id: DeliveryId, services: NamedDependency[Services]
) -> Json[WebhookDelivery]:
    """Send a delivery to a callback URL again.

    It keeps its `webhook-id`. While it is still being tried, the answer is 409.
    """
    return await _redeliver(services, None, delivery_id)


ROUTES = [
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


async def _secrets(services: Services, id: UUID | None) -> Json[WebhookSecrets]:
    rows = await services.writes.rows("list_webhook_secrets", {"id": id})
    answer = items(row["item"] for row in rows)
    answer.headers["Cache-Control"] = "no-store"
    return answer


async def _rotate(
    services: Services, id: UUID | None, rotation: SecretRotation
) -> Json[WebhookSecrets]:
    await services.writes.row(
        "rotate_webhook_secret", {"id": id, "overlap_s": float(rotation.overlap_s)}
    )
    return await _secrets(services, id)


async def _deliveries(
    services: Services, id: UUID | None, status: str | None, cursor: str | None, limit: int
) -> Json[WebhookDeliveries]:
    row = await services.reads.row(
        "list_deliveries",
        {"id": id, "status": status, "before": decode_id(cursor), "max_rows": limit},
    )
    assert row is not None
    return items(row["items"], next=encode_id(row["next"]))


async def _delivery(
    services: Services, id: UUID | None, delivery_id: UUID
) -> Json[WebhookDelivery]:
    row = await services.writes.row("get_delivery", {"id": delivery_id})
    if row is None or row["webhook_id"] != (None if id is None else str(id)):
        raise NotFound(
            f"there is no delivery {delivery_id}",
            hint="it was pruned, or belongs to another webhook",
        )
    return Json(row["state"])


async def _redeliver(
    services: Services, id: UUID | None, delivery_id: UUID
) -> Json[WebhookDelivery]:
    await _delivery(services, id, delivery_id)
    await services.writes.rows("redeliver", {"id": delivery_id})
    return await _delivery(services, id, delivery_id)
