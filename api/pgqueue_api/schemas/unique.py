"""JSON Schemas of uniqueness, and of what may be changed of a task that waits."""

from __future__ import annotations

from typing import Any

from pgqueue_api.schemas.parts import STATUSES

__all__ = ["DEDUP", "task_change"]

DEDUP: dict[str, Any] = {
    "dedup_key": {
        "type": ["string", "null"],
        "minLength": 1,
        "maxLength": 255,
        "description": "while another task with this key counts, no second one is stored",
    },
    "dedup_scope": {
        "enum": ["type", "queue", None],
        "description": "keys are apart by type, or by queue; type if not given",
    },
    "dedup_statuses": {
        "type": ["array", "null"],
        "items": {"enum": list(STATUSES)},
        "minItems": 1,
        "uniqueItems": True,
        "description": "the statuses in which the other counts; if not given, all that are not "
        "final, and with a window completed too",
    },
    "dedup_window_s": {
        "type": ["number", "null"],
        "minimum": 0.001,
        "maximum": 1e9,
        "description": "the other counts for so many seconds after it was created",
    },
    "on_conflict": {
        "enum": ["return", "reject", "replace", "debounce", None],
        "description": "the other is the answer (return), an error is (reject), or the other, if "
        "it waits, takes this payload and time (replace; debounce, which needs a delay)",
    },
}


def task_change(new_task: dict[str, Any]) -> dict[str, Any]:
    """Give the schema of a change, in the words of a new task."""
    words = new_task["properties"]
    return {
        "type": "object",
        "description": "What to change of a task that waits.",
        "properties": {name: words[name] for name in ("priority", "run_at", "delay_s")},
        "minProperties": 1,
        "additionalProperties": False,
        "examples": [{"priority": "high"}, {"delay_s": 0}],
    }
