"""JSON Schemas of why a task waits, and of how many workers a queue wants."""

from __future__ import annotations

from pgqueue_api.schema_parts import Schema, object_of, time

__all__ = ["COMPONENTS"]

_COUNT: Schema = {"type": "integer", "minimum": 0}

COMPONENTS: dict[str, Schema] = {
    "Scale": object_of(
        {
            "queue": {"type": "string"},
            "at": time("when"),
            "wanted": {
                **_COUNT,
                "description": "places: those taken, and one for each startable task; while none "
                "has waited for patience_s, no more than there are. The number to scale by",
            },
            "active": {**_COUNT, "description": "places that are taken"},
            "backlog": {**_COUNT, "description": "tasks that are runnable or due; 10,000 at most"},
            "backlog_exact": {"type": "boolean", "description": "false: there are more"},
            "startable": {
                **_COUNT,
                "description": "those of the backlog that limits and pauses let start now",
            },
            "wait_s": {
                "type": "number",
                "minimum": 0,
                "description": "how long the first of these has waited",
            },
            "workers": {**_COUNT, "description": "live worker processes that serve it"},
            "places": {**_COUNT, "description": "tasks that these run at once"},
        },
        "How many places for tasks a queue wants.",
    ),
}
