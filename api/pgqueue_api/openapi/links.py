"""The links of the OpenAPI document: what can be done next with what an answer names.

They follow from the schemas: every answer that holds a task leads to all that takes a task's id.
"""

from __future__ import annotations

from typing import Any

__all__ = ["add_links"]

_TASK = (
    *("get_task", "update_task", "cancel_task", "retry_task", "list_attempts", "list_checkpoints"),
    *("list_logs", "list_artifacts", "watch_task", "explain_task", "get_task_graph"),
)
_BATCH = (
    *("get_batch", "list_batch_tasks", "add_to_batch", "close_batch", "cancel_batch"),
    *("retry_batch", "watch_batch"),
)
_QUEUE = (
    *("get_queue", "put_queue", "patch_queue", "pause_queue", "drain_queue", "resume_queue"),
    "get_scale",
)
_LIMIT = ("get_limit", "put_limit", "patch_limit", "delete_limit")
_SCHEDULE = (
    *("get_schedule", "put_schedule", "patch_schedule", "delete_schedule", "pause_schedule"),
    *("resume_schedule", "trigger_schedule", "backfill_schedule", "list_schedule_slots"),
)
_WEBHOOK = (
    *("get_webhook", "patch_webhook", "delete_webhook", "test_webhook", "get_webhook_secrets"),
    *("rotate_webhook_secret", "list_webhook_deliveries"),
)
_LETTER = ("get_dead_letter", "delete_dead_letter", "redrive_dead_letter")
_OPERATION = ("get_operation", "cancel_operation", "watch_operation")
_UPLOAD = ("get_upload", "get_upload_content", "delete_upload")

_BY_SCHEMA: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "Task": ("id", "/id", _TASK),
    "TaskPage": ("id", "/items/0/id", _TASK),
    "BulkResult": ("id", "/items/0/id", _TASK),
    "BatchTasks": ("id", "/items/0/id", _TASK),
    "BatchTaskIds": ("id", "/ids/0", _TASK),
    "HookTaken": ("id", "/id", _TASK),
    "Redriven": ("id", "/redriven_as", _TASK),
    "Batch": ("id", "/id", _BATCH),
    "BatchPage": ("id", "/items/0/id", _BATCH),
    "Queue": ("name", "/name", _QUEUE),
    "Queues": ("name", "/items/0/name", _QUEUE),
    "Limit": ("name", "/name", _LIMIT),
    "Types": ("name", "/items/0/name", ("get_type",)),
    "Schedule": ("schedule", "/name", _SCHEDULE),
    "SchedulePage": ("schedule", "/items/0/name", _SCHEDULE),
    "Webhook": ("id", "/id", _WEBHOOK),
    "Webhooks": ("id", "/items/0/id", _WEBHOOK),
    "DeadLetterPage": ("id", "/items/0/id", _LETTER),
    "Operation": ("id", "/id", _OPERATION),
    "OperationPage": ("id", "/items/0/id", _OPERATION),
    "Upload": ("id", "/id", _UPLOAD),
}
"""Which parameter, where it is found in the answer, and which operations take it."""

_MORE: dict[str, dict[str, dict[str, str]]] = {
    "list_artifacts": {
        "get_artifact": {"id": "$request.path.id", "name": "$response.body#/items/0/name"}
    },
    "test_webhook": {
        name: {"id": "$request.path.id", "delivery_id": "$response.body#/id"}
        for name in ("get_webhook_delivery", "redeliver_webhook")
    },
    "list_webhook_deliveries": {
        name: {"id": "$request.path.id", "delivery_id": "$response.body#/items/0/id"}
        for name in ("get_webhook_delivery", "redeliver_webhook")
    },
    "list_callback_deliveries": {
        name: {"delivery_id": "$response.body#/items/0/id"}
        for name in ("get_callback_delivery", "redeliver_callback")
    },
}
"""What takes two ids: by operation."""


def add_links(paths: dict[str, dict[str, Any]]) -> None:
    """Add to every answer the links that its schema has; the operations are changed in place."""
    operations: dict[str, dict[str, Any]] = {}
    for path in paths.values():
        operations |= {operation["operationId"]: operation for operation in path.values()}
    for name, operation in operations.items():
        for response in operation["responses"].values():
            if "content" not in response:
                continue
            links = _links(response, operations) | _MORE.get(name, {})
            if links:
                response["links"] = {
                    target: {"operationId": target, "parameters": parameters}
                    for target, parameters in links.items()
                }


def _links(
    response: dict[str, Any], operations: dict[str, dict[str, Any]]
) -> dict[str, dict[str, str]]:
    schema = response["content"].get("application/json", {}).get("schema", {})
    found = _BY_SCHEMA.get(schema.get("$ref", "").rpartition("/")[2])
    if found is None:
        return {}
    parameter, pointer, targets = found
    links = {target: {parameter: f"$response.body#{pointer}"} for target in targets}
    if "ETag" in response.get("headers", {}):
        for target, parameters in links.items():
            if any(one["name"] == "If-Match" for one in operations[target]["parameters"]):
                parameters["If-Match"] = "$response.header.ETag"
    return links
