"""JSON Schemas of what the event streams carry."""

from __future__ import annotations

from typing import Any

from pgqueue_api.schemas.parts import Schema, nullable, object_of, ref, time

__all__ = ["COMPONENTS", "stream"]

_COUNT = {"type": "integer", "minimum": 0}

COMPONENTS: dict[str, Schema] = {
    "Text": object_of(
        {
            "task_id": {"type": "string", "format": "uuid"},
            "lease_id": {"type": "integer"},
            "seq": {"type": "integer", "description": "the lease's own counter"},
            "at": nullable(time("")),
            "text": {"type": "string"},
        },
        "A piece of what a handler writes.",
    ),
    "Activity": object_of(
        {
            "at": time("when"),
            "queues": {
                "type": "array",
                "items": object_of(
                    {
                        "name": {"type": "string"},
                        **dict.fromkeys(
                            ("queued", "scheduled", "retrying", "blocked", "active", "workers"),
                            _COUNT,
                        ),
                        "oldest_queued_at": nullable(time("")),
                        "sampled_at": nullable(time("")),
                        "state": {"type": "string"},
                        "paused_at": nullable(time("")),
                        "paused_by": {"type": ["string", "null"]},
                        "paused_reason": {"type": ["string", "null"]},
                    },
                    "a queue and its depth",
                ),
            },
            "active": {
                "type": "array",
                "description": "the latest 200",
                "items": object_of(
                    {
                        "id": {"type": "string", "format": "uuid"},
                        "type": {"type": "string"},
                        "queue": {"type": "string"},
                        "attempt": _COUNT,
                        "progress": {"type": ["object", "null"]},
                        "started_at": nullable(time("")),
                    },
                    "a task that runs",
                ),
            },
        },
        "What goes on in the queues.",
    ),
}


def stream(events: tuple[str, ...], *schemas: str) -> dict[str, Any]:
    """Describe an answer of server-sent events by their names and what their data may be."""
    data = ref(schemas[0]) if len(schemas) == 1 else {"anyOf": [ref(name) for name in schemas]}
    event = object_of(
        {
            "event": {"enum": list(events)},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": data,
            },
            "id": {"type": "string", "description": "for Last-Event-ID"},
            "retry": {"description": "how long to wait before coming back, in ms"},
        },
        "One event; comments come between them.",
        *("id", "retry"),
    )
    return {
        "description": "Server-sent events, each as the schema says.",
        "content": {"text/event-stream": {"schema": event}},
    }
