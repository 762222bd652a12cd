"""JSON Schemas of what the event streams carry."""

from __future__ import annotations

from typing import Any

from pgqueue_api.schemas.parts import object_of, ref

__all__ = ["stream"]


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
