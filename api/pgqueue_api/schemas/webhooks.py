"""JSON Schemas of webhooks, their secrets and what was sent."""

from __future__ import annotations

from typing import Any

from pgqueue_api.schemas.parts import items, nullable, object_of, ref, time

__all__ = ["COMPONENTS", "DELIVERY_STATUSES", "NEW_WEBHOOK", "ROTATION", "URL", "WEBHOOK_SETTINGS"]

_UUID = {"type": "string", "format": "uuid"}
_EXAMPLE_ID = "01900000-0000-7000-8000-000000000000"
_NAMES = {
    "type": ["array", "null"],
    "minItems": 1,
    "maxItems": 100,
    "items": {"type": "string", "minLength": 1, "maxLength": 100},
}
_EVENTS = (
    "task.completed",
    "task.failed",
    "task.cancelled",
    "batch.completed",
    "batch.failed",
    "batch.cancelled",
    "dead_letters.growing",
    "dead_letters.settled",
)

DELIVERY_STATUSES = ("pending", "delivered", "failed", "cancelled")

URL: dict[str, Any] = {
    "type": "string",
    "maxLength": 2048,
    "pattern": r"^https?://([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?#][!-~]*)?$",
}

WEBHOOK_SETTINGS: dict[str, Any] = {
    "type": "object",
    "description": "What can be said of a webhook.",
    "properties": {
        "url": {**URL, "description": "where it leads; public, unless a setting allows the host"},
        "events": {
            "type": "array",
            "minItems": 1,
            "maxItems": 20,
            "items": {"enum": list(_EVENTS)},
            "description": "what it is told of; the ends of tasks, if not given",
        },
        "queues": {**_NAMES, "description": "only of what is in these; null: in any"},
        "types": {**_NAMES, "description": "only of tasks of these types; null: of everything"},
        "description": {"type": "string", "maxLength": 1000},
        "enabled": {"type": "boolean"},
    },
    "additionalProperties": False,
    "examples": [{"queues": ["email"], "enabled": True}],
}

NEW_WEBHOOK: dict[str, Any] = {
    **WEBHOOK_SETTINGS,
    "description": "A webhook to make.",
    "required": ["url"],
    "examples": [{"url": "https://example.com/hooks", "events": ["task.failed"]}],
}

ROTATION: dict[str, Any] = {
    "type": "object",
    "description": "How the old secret goes.",
    "properties": {
        "overlap_s": {
            "type": "number",
            "minimum": 0,
            "maximum": 2_592_000,
            "description": "for so long both sign; a day, if not given; 0: the old one is void",
        }
    },
    "additionalProperties": False,
    "examples": [{"overlap_s": 3600}],
}

_SECRET = object_of(
    {
        "secret": {"type": "string", "description": "as Standard Webhooks has it: whsec_…"},
        "created_at": time("when it was made"),
        "expires_at": nullable(time("until when it signs beside the newer one; null: for good")),
    },
    "A secret that signs.",
)

_TRY = {
    "type": "object",
    "description": "one try: {at, response_status, duration_s, response, error}",
}

_DELIVERY = object_of(
    {
        "id": {**_UUID, "description": "the webhook-id of every try"},
        "webhook_id": nullable(_UUID, "null: it goes to a callback_url"),
        "event": {"type": "string"},
        "subject_id": nullable(_UUID, "the task or batch that it is about"),
        "url": {"type": "string", "description": "where it was to go when it was made"},
        "status": {"enum": list(DELIVERY_STATUSES)},
        "attempts": {"type": "integer", "minimum": 0},
        "response_status": {"type": ["integer", "null"]},
        "duration_s": {"type": ["number", "null"]},
        "response": {"type": ["string", "null"], "description": "the first 1,024 bytes of it"},
        "error": {"type": ["string", "null"], "description": "why the last try was none"},
        "tried_at": nullable(time("when it was tried last")),
        "next_attempt_at": nullable(time("when it is tried next")),
        "tries": {"type": "array", "items": _TRY, "description": "the newest 20"},
        "body": {"type": "string", "description": "what is sent, to the byte"},
        "created_at": time("when it happened"),
        "ended_at": nullable(time("when it was delivered, given up or cancelled")),
        "task_id": {**_UUID, "description": "the task that sends it"},
    },
    "What was sent, or is to be.",
)

COMPONENTS: dict[str, dict[str, Any]] = {
    "WebhookSettings": WEBHOOK_SETTINGS,
    "NewWebhook": NEW_WEBHOOK,
    "SecretRotation": ROTATION,
    "Webhook": object_of(
        {
            "id": _UUID,
            "url": {"type": "string"},
            "description": {"type": "string"},
            "events": {"type": "array", "items": {"type": "string"}},
            "queues": nullable({"type": "array", "items": {"type": "string"}}),
            "types": nullable({"type": "array", "items": {"type": "string"}}),
            "enabled": {"type": "boolean"},
            "disabled_at": nullable(time("when it was disabled")),
            "disabled_reason": {"type": ["string", "null"]},
            "version": {"type": "integer", "minimum": 1},
            "created_at": time("when it was made"),
        },
        "Who is told of what. Its secrets are elsewhere.",
        examples=[
            {
                "id": _EXAMPLE_ID,
                "url": "https://example.com/hooks",
                "description": "",
                "events": ["task.failed"],
                "queues": None,
                "types": None,
                "enabled": True,
                "disabled_at": None,
                "disabled_reason": None,
                "version": 1,
                "created_at": "2026-01-02T03:04:05.678901Z",
            }
        ],
    ),
    "Webhooks": items(ref("Webhook"), "Every webhook, 500 at most."),
    "WebhookSecrets": items(_SECRET, "The secrets that sign, newest first."),
    "WebhookDelivery": _DELIVERY,
    "WebhookDeliveries": object_of(
        {
            "items": {"type": "array", "items": ref("WebhookDelivery")},
            "next": {"type": ["string", "null"], "description": "the cursor of the next page"},
        },
        "What was sent, latest first. By status a page may come short and still have a next.",
    ),
}
