"""What JSON Schemas are put together from."""

from __future__ import annotations

from typing import Any

__all__ = [
    "ANYTHING",
    "COUNT",
    "EXAMPLE_ID",
    "OUTCOMES",
    "QUEUE_NAME",
    "STATUSES",
    "TYPE_NAME",
    "URL",
    "Schema",
    "items",
    "nullable",
    "object_of",
    "ref",
    "time",
]

Schema = dict[str, Any]

STATUSES = (
    *("scheduled", "queued", "blocked", "active", "retrying", "completed", "failed", "cancelled"),
)
OUTCOMES = ("completed", "failed", "timed_out", "crashed", "cancelled", "released", "snoozed")

EXAMPLE_ID = "019b2f6e-8a3c-7d12-8000-0a1b2c3d4e5f"
QUEUE_NAME = "^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,99}$"
TYPE_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 100}
COUNT: Schema = {"type": "integer", "minimum": 0}
ANYTHING: Schema = {"description": "any JSON"}


def ref(name: str) -> Schema:
    """Refer to a schema of the document by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def object_of(properties: Schema, description: str, *optional: str, **more: Any) -> Schema:
    """Give an object that has all these properties but the optional ones."""
    return {
        "type": "object",
        "description": description,
        "required": [name for name in properties if name not in optional],
        "properties": properties,
        **more,
    }


def items(of: Schema, description: str) -> Schema:
    """Give a list as the API gives it out."""
    return object_of({"items": {"type": "array", "items": of}}, description)


def nullable(schema: Schema, description: str = "") -> Schema:
    """Allow null besides."""
    described = {"description": description} if description else {}
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"], **described}
    return {"anyOf": [schema, {"type": "null"}], **described}


def time(description: str) -> Schema:
    """Give a point in time."""
    return {"type": "string", "format": "date-time", "description": description}


URL: dict[str, Any] = {
    "type": "string",
    "maxLength": 2048,
    "pattern": r"^https?://([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?#][!-~]*)?$",
}
