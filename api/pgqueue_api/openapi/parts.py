"""What the OpenAPI document is put together from."""

from __future__ import annotations

from typing import Any

from pgqueue_api.schemas.parts import EXAMPLE_ID, QUEUE_NAME, STATUSES, Schema

__all__ = [
    "CURSOR",
    "ID",
    "IF_MATCH",
    "KEY",
    "LAST_EVENT_ID",
    "NAME",
    "NAME_OF_QUEUE",
    "PREFER",
    "TASK_FILTERS",
    "TEXT",
    "TIME",
    "TRACEPARENT",
    "content",
    "filter_by",
    "limit",
    "operation",
    "other",
    "parameter",
]


def parameter(
    place: str, name: str, schema: Schema, description: str, **more: Any
) -> dict[str, Any]:
    """Describe a parameter."""
    return {"in": place, "name": name, "description": description, "schema": schema, **more}


ID = parameter(
    "path",
    "id",
    {"type": "string", "format": "uuid"},
    "the task's id",
    required=True,
    example=EXAMPLE_ID,
)
NAME = parameter(
    "path",
    "name",
    {"type": "string", "minLength": 1, "maxLength": 100},
    "its name",
    required=True,
    example="default",
)
NAME_OF_QUEUE = {**NAME, "schema": {"type": "string", "pattern": QUEUE_NAME}}
IF_MATCH = parameter(
    "header", "If-Match", {"type": "string"}, "the ETag that was read", example='"1"'
)
KEY = parameter(
    "header",
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    "names this request: sent again within 24 hours it gives the same tasks and stores none",
)
PREFER = parameter(
    "header",
    "Prefer",
    {"type": "string"},
    "`wait=N`: answer when the task has ended, or after N ≤ 60 seconds as it stands",
    example="wait=30",
)
TRACEPARENT = parameter(
    "header",
    "traceparent",
    {"type": "string"},
    "W3C trace context, which travels with the task",
)
LAST_EVENT_ID = parameter(
    "header",
    "Last-Event-ID",
    {"type": "string"},
    "where to go on in the logs: the `id` of the last frame that came",
)
CURSOR = parameter(
    "query", "cursor", {"type": "string", "maxLength": 200}, "`next` of the page before"
)


def limit(default: int) -> dict[str, Any]:
    """Describe how many items a page holds."""
    schema = {"type": "integer", "minimum": 1, "maximum": 200, "default": default}
    return parameter("query", "limit", schema, "how many at most")


def filter_by(name: str, schema: Schema, description: str) -> dict[str, Any]:
    """Describe a query parameter that narrows a list."""
    return parameter("query", name, schema, description)


TEXT = {"type": "string", "maxLength": 100}
TIME = {"type": "string", "format": "date-time"}
TASK_FILTERS = [
    filter_by("type", TEXT, "only this type"),
    filter_by("queue", TEXT, "only this queue"),
    filter_by("status", {"enum": list(STATUSES)}, "only this status"),
    filter_by("from", TIME, "created at or after"),
    filter_by("to", TIME, "created before"),
]


def content(name: str, description: str, **headers: str) -> dict[str, Any]:
    """Describe an answer in JSON by the name of its schema."""
    response: dict[str, Any] = {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
    }
    if headers:
        response["headers"] = {
            header.replace("_", "-"): {"description": text, "schema": {"type": "string"}}
            for header, text in headers.items()
        }
    return response


def other(media_type: str, description: str, schema: Schema | None = None) -> dict[str, Any]:
    """Describe an answer in another media type."""
    return {
        "description": description,
        "content": {media_type: {"schema": schema or {"type": "string"}}},
    }


def operation(
    tag: str,
    id: str,
    summary: str,
    description: str,
    responses: dict[int, dict[str, Any]],
    *problems: int,
    parameters: list[dict[str, Any]] | None = None,
    takes: str | None = None,
) -> dict[str, Any]:
    """Describe what a path does for one method."""
    operation: dict[str, Any] = {
        "tags": [tag],
        "operationId": id,
        "summary": summary,
        "description": description,
        "responses": {
            **{str(status): response for status, response in responses.items()},
            **{
                str(status): {"$ref": f"#/components/responses/Problem{status}"}
                for status in sorted({*problems})
            },
        },
    }
    if parameters:
        operation["parameters"] = parameters
    if takes:
        operation["requestBody"] = {
            "required": takes != "GivenReason",
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{takes}"}}},
        }
    return operation
