"""The paths of webhooks in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pgqueue_api.openapi.parts import (
    CURSOR,
    ID,
    IF_MATCH,
    content,
    filter_by,
    limit,
    operation,
    parameter,
)
from pgqueue_api.schemas.webhooks import DELIVERY_STATUSES

__all__ = ["PATHS"]

_TAG = "webhooks"
_VERSION = "its version"
_ID = {**ID, "description": "the webhook's id"}
_DELIVERY_ID = parameter(
    "path",
    "delivery_id",
    {"type": "string", "format": "uuid"},
    "the delivery's id: the `webhook-id` that was sent",
    required=True,
    example=ID["example"],
)


def _of(path: str, what: str, whose: str, *own: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Describe what webhooks and callback URLs have alike."""
    parameters = [*own]
    absent = (404,) if own else ()
    return {
        f"{path}/secret": {
            "get": operation(
                _TAG,
                f"get_{what}_secrets",
                f"Read the secrets of {whose}",
                "What is sent is signed with each of them: the current one, and one that was "
                "replaced until it expires.",
                {200: content("WebhookSecrets", "The secrets.")},
                *(*absent, 503),
                parameters=parameters,
            )
        },
        f"{path}/secret/rotate": {
            "post": operation(
                _TAG,
                f"rotate_{what}_secret",
                f"Replace the secret of {whose}",
                "For `overlap_s` both sign, so that the receiver may change over in peace.",
                {200: content("WebhookSecrets", "The secrets afterwards.")},
                *(*absent, 413, 415, 422, 503),
                parameters=parameters,
                takes="SecretRotation",
            )
        },
        f"{path}/deliveries": {
            "get": operation(
                _TAG,
                f"list_{what}_deliveries",
                f"List what was sent to {whose}",
                "Latest first, with what came back.",
                {200: content("WebhookDeliveries", "A page.")},
                *(*absent, 422, 503),
                parameters=[
                    *parameters,
                    filter_by("status", {"enum": [*DELIVERY_STATUSES]}, "only at this status"),
                    CURSOR,
                    limit(50),
                ],
            )
        },
        f"{path}/deliveries/{{delivery_id}}": {
            "get": operation(
                _TAG,
                f"get_{what}_delivery",
                "Read a delivery",
                "With its newest tries.",
                {200: content("WebhookDelivery", "The delivery.")},
                *(404, 503),
                parameters=[*parameters, _DELIVERY_ID],
            )
        },
        f"{path}/deliveries/{{delivery_id}}/redeliver": {
            "post": operation(
                _TAG,
                f"redeliver_{what}",
                "Send it again",
                "Under the same `webhook-id`. While it is still being tried that is a 409.",
                {200: content("WebhookDelivery", "The delivery, on its way.")},
                *(404, 409, 503),
                parameters=[*parameters, _DELIVERY_ID],
            )
        },
    }


PATHS: dict[str, dict[str, Any]] = {
    "/v1/webhooks": {
        "get": operation(
            _TAG,
            "list_webhooks",
            "List webhooks",
            "Oldest first.",
            {200: content("Webhooks", "All of them.")},
            503,
        ),
        "post": operation(
            _TAG,
            "create_webhook",
            "Make a webhook",
            "It is told of what happens from now on. Its secret is at `/secret`.",
            {201: content("Webhook", "Made.", ETag=_VERSION, Location="the webhook's path")},
            *(409, 413, 415, 422, 503),
            takes="NewWebhook",
        ),
    },
    "/v1/webhooks/{id}": {
        "get": operation(
            _TAG,
            "get_webhook",
            "Read a webhook",
            "Without its secrets.",
            {200: content("Webhook", "The webhook.", ETag=_VERSION)},
            *(404, 503),
            parameters=[_ID],
        ),
        "patch": operation(
            _TAG,
            "patch_webhook",
            "Change a webhook",
            "What is left out stays. What waits to be sent goes to the new URL.",
            {200: content("Webhook", "The webhook afterwards.", ETag=_VERSION)},
            *(404, 412, 413, 415, 422, 428, 503),
            parameters=[_ID, IF_MATCH],
            takes="WebhookSettings",
        ),
        "delete": operation(
            _TAG,
            "delete_webhook",
            "Delete a webhook",
            "With its secrets. What waits to be sent to it is cancelled.",
            {204: {"description": "Gone."}},
            *(404, 412, 422, 428, 503),
            parameters=[_ID, IF_MATCH],
        ),
    },
    "/v1/webhooks/{id}/test": {
        "post": operation(
            _TAG,
            "test_webhook",
            "Send the event webhook.test",
            "Whatever it subscribes to.",
            {200: content("WebhookDelivery", "The delivery, on its way.")},
            *(404, 409, 503),
            parameters=[_ID],
        )
    },
    **_of("/v1/webhooks/{id}", "webhook", "a webhook", _ID),
    **_of("/v1/webhooks/callbacks", "callback", "callback URLs"),
}
