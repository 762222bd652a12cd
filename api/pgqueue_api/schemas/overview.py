"""JSON Schemas of workers, types and figures."""

from __future__ import annotations

from pgqueue_api.schemas.maintenance import DUTY
from pgqueue_api.schemas.parts import (
    COUNT,
    TYPE_NAME,
    Schema,
    items,
    nullable,
    object_of,
    ref,
    time,
)
from pgqueue_api.schemas.queues import RETRY

__all__ = ["COMPONENTS"]

COMPONENTS: dict[str, Schema] = {
    "Workers": items(
        object_of(
            {
                "id": {"type": "integer"},
                "worker": {"type": "string", "description": "host:pid"},
                "state": {"enum": ["active", "draining", "stopped", "lost"]},
                "supervisor": {"type": "string"},
                "host": {"type": "string"},
                "pid": {"type": "integer"},
                "version": {"type": "string"},
                "queues": {"type": "array", "items": {"type": "string"}},
                "types": {"type": "array", "items": {"type": "string"}},
                "concurrency": {"type": "integer"},
                "active": COUNT,
                "started_at": nullable(time("")),
                "heartbeat_at": nullable(time("")),
                "expires_at": nullable(time("its leases hold until then")),
            },
            "a worker process",
        ),
        "Worker processes, latest first.",
    ),
    "Type": object_of(
        {
            "name": TYPE_NAME,
            "queue": {"type": "string"},
            "max_attempts": nullable(COUNT, "null: what the queue says"),
            "retry": RETRY,
            "timeout_s": {"type": ["number", "null"]},
            "description": {"type": "string"},
            "payload_schema": {"type": ["object", "boolean"]},
            "result_schema": {"type": ["object", "boolean", "null"]},
            "updated_at": nullable(time("")),
        },
        "A type that workers have published.",
    ),
    "Types": items(ref("Type"), "The types, by name."),
    "Stats": object_of(
        {
            "at": time("when"),
            "uptime_s": {"type": "number", "description": "of the API process that answers"},
            "window_s": COUNT,
            "counts": {
                "type": "object",
                "description": "tasks by status: live ones as sampled, ended ones by the roll-up",
                "additionalProperties": {"type": "integer"},
            },
            "active_workers": COUNT,
            "success_rate": {
                "type": ["number", "null"],
                "description": "completed among the completed and failed of the window; null: none",
            },
            "throughput_per_s": {"type": "number", "description": "tasks that ended in the window"},
            "wait_s": ref("Percentiles"),
            "run_s": ref("Percentiles"),
            "days": {
                "type": "array",
                "description": "the last 7 days in UTC, oldest first",
                "items": object_of(
                    {
                        "day": {"type": "string", "format": "date"},
                        "completed": {"type": "integer"},
                        "failed": {"type": "integer"},
                        "cancelled": {"type": "integer"},
                    },
                    "a day",
                ),
            },
            "sampled_at": nullable(time("when live tasks were counted; null: never yet")),
            "maintenance": {
                "type": "array",
                "description": "each duty that a supervisor has told about",
                "items": DUTY,
            },
        },
        "Figures of the service.",
    ),
    "Percentiles": object_of(
        {
            "n": COUNT,
            "p50": {"type": ["number", "null"]},
            "p95": {"type": ["number", "null"]},
            "p99": {"type": ["number", "null"]},
        },
        "In seconds, from a histogram whose buckets double: within a factor of 1.5 or so.",
    ),
}
