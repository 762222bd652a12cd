"""JSON Schemas of limits: of queues, of each key in a queue, and of keys by their name."""

from __future__ import annotations

from typing import Any

from pgqueue_api.schemas.parts import nullable, object_of, ref, time

__all__ = ["COMPONENTS", "CONCURRENCY", "LIMIT_NAME", "LIMIT_SETTINGS", "PER_KEY", "RATE", "SLOWED"]

LIMIT_NAME = "^[A-Za-z0-9_][A-Za-z0-9_.:@+=~-]{0,254}$"

CONCURRENCY: dict[str, Any] = {
    "type": ["integer", "null"],
    "minimum": 1,
    "maximum": 1_000_000,
    "description": "tasks that run at once, over all workers; null: no limit",
}

RATE: dict[str, Any] = {
    "type": ["array", "null"],
    "minItems": 1,
    "maxItems": 5,
    "items": {
        "type": "object",
        "properties": {
            "count": {"type": "integer", "minimum": 1, "maximum": 1_000_000},
            "per_seconds": {"type": "number", "minimum": 0.001, "maximum": 2_592_000},
            "smooth": {"type": "boolean", "description": "starts are spaced evenly, too"},
        },
        "required": ["count", "per_seconds"],
        "additionalProperties": False,
    },
    "description": "no span of that length sees more starts, over all workers; all hold",
}

PER_KEY: dict[str, Any] = {
    "type": ["object", "null"],
    "minProperties": 1,
    "properties": {
        "concurrency": {**CONCURRENCY, "type": "integer"},
        "rate": {**RATE, "type": "array"},
    },
    "additionalProperties": False,
    "description": "what each limit_key of the queue is allowed that has no limit of its name",
}

_UNTIL = "nothing starts before; handlers set it, and null takes it away"
SLOWED: dict[str, Any] = {"type": ["string", "null"], "format": "date-time", "description": _UNTIL}

LIMIT_SETTINGS: dict[str, Any] = {
    "type": "object",
    "description": "What the tasks with a limit_key may do together, over all queues and workers. "
    "With neither concurrency nor rate the key has no limit, whatever its queues say.",
    "properties": {"concurrency": CONCURRENCY, "rate": RATE, "slowed_until": SLOWED},
    "additionalProperties": False,
    "examples": [{"concurrency": 3, "rate": [{"count": 60, "per_seconds": 60, "smooth": True}]}],
}

COMPONENTS: dict[str, Any] = {
    "LimitSettings": LIMIT_SETTINGS,
    "Limit": object_of(
        {
            "name": {"type": "string", "description": "a limit_key"},
            "concurrency": CONCURRENCY,
            "rate": RATE,
            "slowed_until": nullable(time("nothing starts before: a handler asked for it")),
            "slowed_reason": {"type": ["string", "null"]},
            "version": {"type": "integer", "description": "each change of its settings adds one"},
            "created_at": time("when it was made"),
        },
        "The limit of all tasks with this limit_key.",
    ),
    "Limits": object_of(
        {
            "items": {"type": "array", "items": ref("Limit")},
            "next": {"type": ["string", "null"], "description": "the cursor of the next page"},
        },
        "Limits, by name.",
    ),
}
