"""JSON Schemas of queues, their settings and retry policies."""

from __future__ import annotations

from typing import Any

from pgqueue_api.schemas.limits import CONCURRENCY, PER_KEY, RATE, SLOWED
from pgqueue_api.schemas.parts import COUNT, Schema, items, nullable, object_of, ref, time

__all__ = ["COMPONENTS", "QUEUE_SETTINGS", "RETRY"]

_LONGEST_S = 10 * 365 * 86_400

_KEPT = {"type": ["number", "null"], "minimum": 86_400, "maximum": 3_153_600_000}

RETRY: dict[str, Any] = {
    "type": ["object", "null"],
    "description": "how long to wait after a failed attempt; what is left out is as in the example",
    "properties": {
        "kind": {
            "enum": ["exponential", "linear", "fixed"],
            "description": "base_s · 2^(n-1), base_s · n, or base_s after the n-th attempt",
        },
        "base_s": {"type": "number", "minimum": 0, "maximum": _LONGEST_S},
        "cap_s": {
            "type": "number",
            "minimum": 0,
            "maximum": _LONGEST_S,
            "description": "never more than this",
        },
        "jitter": {
            "enum": ["full", "equal", "none"],
            "description": "spread over all of the delay, over its second half, or not at all",
        },
    },
    "additionalProperties": False,
    "examples": [{"kind": "exponential", "base_s": 1, "cap_s": 3600, "jitter": "equal"}],
}

QUEUE_SETTINGS: dict[str, Any] = {
    "type": "object",
    "description": "The settings of a queue: what its types and tasks do not say themselves.",
    "properties": {
        "max_attempts": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 1000,
            "description": "null: 3",
        },
        "retry": RETRY,
        "ageing_s": {
            "type": ["number", "null"],
            "minimum": 0.001,
            "maximum": 1e9,
            "description": "seconds a task waits for each step of priority that it gains; "
            "null: it gains none",
        },
        "concurrency": CONCURRENCY,
        "rate": RATE,
        "per_key": PER_KEY,
        "slowed_until": SLOWED,
        "fairness": {
            "type": ["object", "null"],
            "properties": {
                "weights": {
                    "type": "object",
                    "maxProperties": 1000,
                    "propertyNames": {"minLength": 1, "maxLength": 255},
                    "additionalProperties": {"type": "integer", "minimum": 1, "maximum": 100},
                    "description": "how many tasks of a key start in its turn, if not 1",
                }
            },
            "additionalProperties": False,
            "description": "tasks of one priority start in turns of their fairness keys; null: off",
        },
        "retention": {
            "type": ["object", "null"],
            "description": "how long what has ended is kept, from its end on; null: tasks 7 days, "
            "events and artifacts as long as their tasks and never longer, dead letters as their "
            "policy says",
            "properties": {
                "tasks_s": _KEPT,
                "events_s": _KEPT,
                "artifacts_s": _KEPT,
                "dead_letters_s": {**_KEPT, "minimum": 3600},
            },
            "additionalProperties": False,
        },
        "paused": {"type": ["boolean", "null"], "description": "no task starts while it is"},
        "paused_by": {"type": ["string", "null"], "maxLength": 200},
        "paused_reason": {"type": ["string", "null"], "maxLength": 1000},
    },
    "additionalProperties": False,
    "examples": [{"max_attempts": 5, "retry": {"kind": "linear", "base_s": 30}}],
}

_STATE: dict[str, Any] = {
    "slowed_reason": {"type": ["string", "null"], "description": "what a handler said"},
    "state": {
        "enum": ["active", "draining", "paused"],
        "description": "draining: paused, and some of its tasks still run",
    },
    "still_running": {
        "type": ["integer", "null"],
        "minimum": 0,
        "description": "tasks of a paused queue that run at this moment; null: it is not paused",
    },
}

COMPONENTS: dict[str, Schema] = {
    "Queue": object_of(
        {
            "name": {"type": "string"},
            "queued": COUNT,
            "scheduled": COUNT,
            "retrying": COUNT,
            "blocked": COUNT,
            "active": COUNT,
            "oldest_queued_at": nullable(time("")),
            "workers": {**COUNT, "description": "active workers that serve it"},
            "dead_letters": COUNT,
            "sampled_at": nullable(time("when the counts were taken; null: never yet")),
            "created_at": nullable(time("")),
            "version": {**COUNT, "description": "of its settings: the ETag, without quotes"},
            **QUEUE_SETTINGS["properties"],
            "paused": {"type": "boolean"},
            "paused_at": nullable(time("since when; null: it is not")),
            **_STATE,
        },
        "A queue and its settings; its counts are sampled every few seconds.",
    ),
    "QueueSettings": QUEUE_SETTINGS,
    "Queues": items(ref("Queue"), "The queues, by name."),
}
