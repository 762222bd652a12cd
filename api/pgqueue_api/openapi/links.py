"""The links of the OpenAPI document: what can be done next with what an answer names.

An answer that holds a noun leads to every operation on such a noun: those with its id in the path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["add_links"]

_FOUND_IN: dict[str, Mapping[str, str]] = {
    "/v1/tasks/{id}": {
        "Task": "/id",
        "SubmittedTask": "/id",
        "TaskPage": "/items/0/id",
        "BulkResult": "/items/0/id",
        "BatchTasks": "/items/0/id",
        "BatchTaskIds": "/ids/0",
        "HookTaken": "/id",
        "Redriven": "/redriven_as",
    },
    "/v1/tasks/{id}/artifacts/{name}": {"Artifacts": "/items/0/name"},
    "/v1/batches/{id}": {"Batch": "/id", "BatchPage": "/items/0/id"},
    "/v1/queues/{name}": {"Queue": "/name", "Queues": "/items/0/name"},
    "/v1/limits/{name}": {"KeyLimit": "/name", "KeyLimits": "/items/0/name"},
    "/v1/types/{name}": {"Types": "/items/0/name"},
    "/v1/schedules/{schedule}": {"Schedule": "/name", "SchedulePage": "/items/0/name"},
    "/v1/webhooks/{id}": {"Webhook": "/id", "Webhooks": "/items/0/id"},
    "/v1/webhooks/{id}/deliveries/{delivery_id}": {
        "WebhookDelivery": "/id",
        "WebhookDeliveries": "/items/0/id",
    },
    "/v1/webhooks/callbacks/deliveries/{delivery_id}": {"WebhookDeliveries": "/items/0/id"},
    "/v1/dead-letters/{id}": {"DeadLetter": "/id", "DeadLetterPage": "/items/0/id"},
    "/v1/operations/{id}": {"Operation": "/id", "OperationPage": "/items/0/id"},
    "/v1/users/{id}": {"User": "/id", "Users": "/items/0/id"},
    "/v1/keys/{id}": {"ApiKey": "/id", "ShownApiKey": "/id", "ApiKeys": "/items/0/id"},
    "/v1/artifacts/{id}": {"Upload": "/id", "UploadPage": "/items/0/id"},
}
"""Where the last parameter of a path is found: by the schema of an answer, a JSON pointer."""


def add_links(paths: dict[str, dict[str, Any]]) -> None:
    """Add the links to every answer; the operations are changed in place."""
    operations = [(path, one) for path, item in paths.items() for one in item.values()]
    for path, source in operations:
        for response in source["responses"].values():
            schema = response.get("content", {}).get("application/json", {}).get("schema", {})
            name = schema.get("$ref", "").rpartition("/")[2]
            links = dict(_links(path, name, response, operations))
            if links:
                response["links"] = links


def _links(
    path: str, name: str, response: dict[str, Any], operations: list[tuple[str, dict[str, Any]]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for target_path, target in operations:
        pointer = _FOUND_IN.get(_noun_of(target_path), {}).get(name)
        if pointer is None:
            continue
        *outer, last = [part[1:-1] for part in target_path.split("/") if part.startswith("{")]
        if any(f"{{{parameter}}}" not in path for parameter in outer):
            continue  # the answer does not say whose it is
        if ("/callbacks/" in target_path) != ("/callbacks/" in path):
            continue  # what goes to a webhook is not found among what goes to callback URLs
        values = {parameter: f"$request.path.{parameter}" for parameter in outer}
        values[last] = f"$response.body#{pointer}"
        if "ETag" in response.get("headers", {}) and any(
            parameter["name"] == "If-Match" for parameter in target["parameters"]
        ):
            values["If-Match"] = "$response.header.ETag"
        yield (
            target["operationId"],
            {"operationId": target["operationId"], "parameters": values},
        )


def _noun_of(path: str) -> str:
    """Return a path up to its last parameter."""
    return path[: path.rfind("}") + 1]
