"""Webhooks of others, in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pgqueue_api.openapi.parts import content, operation, parameter

__all__ = ["COMPONENTS", "PATHS"]

_SOURCE = parameter(
    "path",
    "source",
    {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,49}$"},
    "who sends it: names the settings of the worker",
    required=True,
    example="github",
)

_RECEIVE = operation(
    "tasks",
    "receive_hook",
    "Take a webhook of others",
    "Stored as a task of the type `webhook_processing`, with the body as it came and the "
    "headers of its signature, and answered at once. The worker verifies the signature "
    "(Standard Webhooks, GitHub, Stripe), maps its fields and forwards them.",
    {202: content("HookTaken", "Stored.", Location="the task's path")},
    *(413, 422, 503),
    parameters=[_SOURCE],
)
_RECEIVE["requestBody"] = {"required": False, "content": {"*/*": {"schema": {"type": "string"}}}}

PATHS: dict[str, dict[str, Any]] = {"/v1/hooks/{source}": {"post": _RECEIVE}}

COMPONENTS: dict[str, dict[str, Any]] = {
    "HookTaken": {
        "type": "object",
        "description": "A webhook that was stored.",
        "properties": {"id": {"type": "string", "format": "uuid", "description": "of the task"}},
        "required": ["id"],
    }
}
