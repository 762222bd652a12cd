"""JSON Schemas of what the API takes and gives.

The OpenAPI document shows them, requests are checked against them, and tests hold the answers
against them: there is no second description that could say something else.
"""

from __future__ import annotations

from pgqueue_api.group_schemas import TIES
from pgqueue_api.maintenance_schemas import DUTY
from pgqueue_api.queue_schemas import QUEUE_SETTINGS, QUEUE_STATE, RETRY
from pgqueue_api.schema_parts import Schema
from pgqueue_api.schema_parts import items as _items
from pgqueue_api.schema_parts import nullable as _nullable
from pgqueue_api.schema_parts import object_of as _object
from pgqueue_api.schema_parts import ref as _ref
from pgqueue_api.schema_parts import time as _time
from pgqueue_api.unique_schemas import DEDUP, task_change
from pgqueue_api.webhook_schemas import URL

__all__ = [
    "BULK",
    "COMPONENTS",
    "EXAMPLE_ID",
    "MOST_WAIT_S",
    "NEW_TASK",
    "QUEUE_NAME",
    "STATUSES",
    "Schema",
]

STATUSES = (
    "scheduled",
    "queued",
    "blocked",
    "active",
    "retrying",
    "completed",
    "failed",
    "cancelled",
)
OUTCOMES = ("completed", "failed", "timed_out", "crashed", "cancelled", "released", "snoozed")
MOST_WAIT_S = 60
MOST_DELAY_S = 10 * 365 * 86_400
EXAMPLE_ID = "019b2f6e-8a3c-7d12-8000-0a1b2c3d4e5f"
_LONGEST_TIMEOUT_S = 30 * 86_400


_TYPE = {"type": "string", "minLength": 1, "maxLength": 100}
QUEUE_NAME = "^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,99}$"
_QUEUE = {
    "type": "string",
    "pattern": QUEUE_NAME,
    "description": "the type's own queue if not given",
}
_COUNT = {"type": "integer", "minimum": 0}
_ANYTHING: Schema = {"description": "any JSON"}

NEW_TASK = _object(
    {
        "type": {**_TYPE, "description": "which handler runs it"},
        "payload": {
            "type": "object",
            "description": "what the handler gets; checked against the type's schema",
        },
        "queue": _nullable(_QUEUE),
        "priority": {
            "description": "0 (first) to 10 (last); high is 2, normal is 5, low is 8",
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 10},
                {"enum": ["high", "normal", "low"]},
                {"type": "null"},
            ],
        },
        "run_at": _nullable(_time("when to run it at the earliest (RFC 3339)")),
        "delay_s": {
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": MOST_DELAY_S,
            "description": "seconds from now until it runs at the earliest; instead of run_at",
        },
        "max_attempts": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000},
        "timeout_s": {
            "type": ["number", "null"],
            "exclusiveMinimum": 0.001,
            "maximum": _LONGEST_TIMEOUT_S,
            "description": "how long an attempt may take",
        },
        "retry": RETRY,
        **DEDUP,
        **TIES,
        "expires_at": _nullable(_time("cancelled if it has not started by then (RFC 3339)")),
        "expires_in_s": {
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": MOST_DELAY_S,
            "description": "the same, in seconds from now; instead of expires_at",
        },
        "limit_key": {
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": 255,
            "description": "whose limits it counts against, beside those of its queue",
        },
        "cost": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 32_767,
            "description": "how much of each limit it takes; null: 1",
        },
        "fairness_key": {
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": 255,
            "description": "with whom it takes turns in a fair queue; its user if not given",
        },
        "callback_url": _nullable(URL, "told by a signed POST when it ends: see docs/webhooks.md"),
    },
    "A task to run.",
    *("payload", "queue", "priority", "run_at", "delay_s", "max_attempts", "timeout_s", "retry"),
    *("expires_at", "expires_in_s", "fairness_key", "limit_key", "cost", "callback_url"),
    *(*DEDUP, *TIES),
    additionalProperties=False,
    examples=[{"type": "sleep", "payload": {"delay_ms": 2000}, "priority": "high"}],
)

TASK_CHANGE = task_change(NEW_TASK)

BULK = _object(
    {
        "tasks": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1000,
            "items": _ref("NewTask"),
        }
    },
    "Up to 1,000 tasks.",
    additionalProperties=False,
    examples=[{"tasks": [{"type": "noop"}, {"type": "sleep", "payload": {"delay_ms": 100}}]}],
)

_PROGRESS = _nullable(
    _object(
        {
            "percent": {"type": ["number", "null"]},
            "message": {"type": ["string", "null"]},
            "at": _nullable(_time("when the handler said so")),
        },
        "how far the handler says it is",
    )
)

_TASK = _object(
    {
        "id": {"type": "string", "format": "uuid"},
        "type": _TYPE,
        "queue": {"type": "string"},
        "status": {"enum": list(STATUSES)},
        "status_reason": {"type": ["string", "null"], "description": "why, in plain words"},
        "priority": {"type": "integer"},
        "payload": _ANYTHING,
        "result": {"description": "what the handler returned; null until completed"},
        "error": {"description": "why it failed, as {type, message, traceback}; null if not"},
        "attempt": {**_COUNT, "description": "starts so far"},
        "max_attempts": _COUNT,
        "progress": _PROGRESS,
        "created_at": _time("when it was enqueued"),
        "run_at": _nullable(_time("when it runs at the earliest; null: at once")),
        "started_at": _nullable(_time("when its latest attempt started")),
        "finished_at": _nullable(_time("when it ended")),
        "next_retry_at": _nullable(_time("when it is tried again")),
        "crash_count": {**_COUNT, "description": "how often a worker died over it"},
        "timeout_s": {"type": ["number", "null"]},
        "retry": RETRY,
        "dedup_key": {"type": ["string", "null"]},
        "expires_at": _nullable(_time("cancelled if it has not started by then")),
        "fairness_key": {"type": ["string", "null"]},
        "batch_id": {"type": ["string", "null"], "format": "uuid"},
        "limit_key": {"type": ["string", "null"]},
        "cost": {"type": "integer"},
        "callback_url": {"type": ["string", "null"]},
        "deduplicated": {
            "type": "boolean",
            "description": "only in the answer to a submit with a dedup_key: it was there before",
        },
    },
    "A task as it stands.",
    "deduplicated",
    examples=[
        {
            "id": EXAMPLE_ID,
            "type": "sleep",
            "queue": "default",
            "status": "queued",
            "status_reason": None,
            "priority": 2,
            "payload": {"delay_ms": 2000},
            "result": None,
            "error": None,
            "attempt": 0,
            "max_attempts": 3,
            "progress": None,
            "created_at": "2026-01-02T03:04:05.678901Z",
            "run_at": None,
            "started_at": None,
            "finished_at": None,
            "next_retry_at": None,
            "crash_count": 0,
            "timeout_s": None,
            "retry": None,
            "dedup_key": None,
            "expires_at": None,
            "fairness_key": None,
            "batch_id": None,
            "limit_key": None,
            "cost": 1,
            "callback_url": None,
        }
    ],
)

_PROBLEM = _object(
    {
        "type": {"type": "string", "description": "where the problem is explained"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable, for programs"},
        "detail": {"type": "string", "description": "what happened, for people"},
        "hint": {"type": "string", "description": "what to do about it"},
        "task_id": {"type": "string", "description": "the other task, where that is the problem"},
        "errors": {
            "type": "array",
            "items": _object(
                {
                    "pointer": {"type": "string", "description": "a JSON pointer into the body"},
                    "parameter": {"type": "string", "description": "or a parameter's name"},
                    "message": {"type": "string"},
                },
                "a place that is wrong",
                *("pointer", "parameter"),
            ),
        },
    },
    "An error (RFC 9457).",
    *("hint", "errors", "task_id"),
    examples=[
        {
            "type": "/docs#payload_invalid",
            "title": "Unprocessable Entity",
            "status": 422,
            "code": "payload_invalid",
            "detail": "the payload does not fit the schema of 'sleep'",
            "hint": "GET /v1/types/sleep shows the schema",
            "errors": [
                {"pointer": "/payload/delay_ms", "message": '"soon" is not of type "integer"'}
            ],
        }
    ],
)

COMPONENTS: dict[str, Schema] = {
    "NewTask": NEW_TASK,
    "TaskChange": TASK_CHANGE,
    "Bulk": BULK,
    "Task": _TASK,
    "Problem": _PROBLEM,
    "TaskPage": _object(
        {
            "items": {"type": "array", "items": _ref("Task")},
            "next": {
                "type": ["string", "null"],
                "description": "the cursor of the next page; null when all has been searched",
            },
            "searched_until": _nullable(
                _time("every match created since then has been given; null: there is no older one")
            ),
        },
        "A page of tasks, newest first. It may hold fewer than asked for, or none, and still have "
        "a next one: a page searches for half a second at most and holds some 4 MiB at most.",
    ),
    "BulkResult": _object(
        {
            "accepted": _COUNT,
            "refused": _COUNT,
            "items": {
                "type": "array",
                "description": "one for each task, in the order given",
                "items": _object(
                    {
                        "ok": {"type": "boolean"},
                        "id": {"type": "string", "format": "uuid"},
                        "task": _ref("Task"),
                        "problem": _ref("Problem"),
                    },
                    "a task, or the problem with it",
                    *("id", "task", "problem"),
                ),
            },
        },
        "What became of each.",
    ),
    "Attempts": _items(
        _object(
            {
                "task_id": {"type": "string", "format": "uuid"},
                "lease_id": {"type": "integer"},
                "attempt": _COUNT,
                "outcome": {"enum": [*OUTCOMES, None], "description": "null while it runs"},
                "final": {"type": "boolean", "description": "whether it ended the task"},
                "result": _ANYTHING,
                "error": _ANYTHING,
                "worker": {"type": ["string", "null"]},
                "started_at": _nullable(_time("")),
                "finished_at": _nullable(_time("")),
            },
            "a start of the task",
        ),
        "Every start of a task, latest first.",
    ),
    "Checkpoints": _items(
        _object(
            {
                "name": {"type": "string", "description": "of the step; '' for ctx.checkpoint"},
                "attempt": {**_COUNT, "description": "the attempt that saved it"},
                "lease_id": {"type": "integer"},
                "at": _nullable(_time("")),
                "size": {**_COUNT, "description": "of the data as JSON, in bytes"},
                "data": _ANYTHING,
            },
            "something that later attempts are given",
        ),
        "What the task remembers, by name.",
    ),
    "Log": _object(
        {
            "task_id": {"type": "string", "format": "uuid"},
            "lease_id": {"type": "integer"},
            "seq": {"type": "integer", "description": "the lease's own counter"},
            "at": _nullable(_time("")),
            "level": {"type": "string"},
            "message": {"type": "string"},
            "data": _ANYTHING,
        },
        "A line that a handler logged.",
    ),
    "Logs": _object(
        {
            "items": {"type": "array", "items": _ref("Log")},
            "next": {"type": ["string", "null"], "description": "the cursor of the next page"},
        },
        "What the handler logged, in order.",
    ),
    "Artifacts": _items(
        _object(
            {
                "name": {"type": "string"},
                "content_type": {"type": "string"},
                "size": _COUNT,
                "sha256": {"type": "string"},
                "created_at": _nullable(_time("")),
                "href": {"type": "string"},
            },
            "a file that a handler made",
        ),
        "The files of a task.",
    ),
    "Queue": _object(
        {
            "name": {"type": "string"},
            "queued": _COUNT,
            "scheduled": _COUNT,
            "retrying": _COUNT,
            "blocked": _COUNT,
            "active": _COUNT,
            "oldest_queued_at": _nullable(_time("")),
            "workers": {**_COUNT, "description": "active workers that serve it"},
            "dead_letters": _COUNT,
            "sampled_at": _nullable(_time("when the counts were taken; null: never yet")),
            "created_at": _nullable(_time("")),
            "version": {**_COUNT, "description": "of its settings: the ETag, without quotes"},
            **QUEUE_SETTINGS["properties"],
            "paused": {"type": "boolean"},
            "paused_at": _nullable(_time("since when; null: it is not")),
            **QUEUE_STATE,
        },
        "A queue and its settings; its counts are sampled every few seconds.",
    ),
    "QueueSettings": QUEUE_SETTINGS,
    "Queues": _items(_ref("Queue"), "The queues, by name."),
    "Workers": _items(
        _object(
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
                "active": _COUNT,
                "started_at": _nullable(_time("")),
                "heartbeat_at": _nullable(_time("")),
                "expires_at": _nullable(_time("its leases hold until then")),
            },
            "a worker process",
        ),
        "Worker processes, latest first.",
    ),
    "Type": _object(
        {
            "name": _TYPE,
            "queue": {"type": "string"},
            "max_attempts": _nullable(_COUNT, "null: what the queue says"),
            "retry": RETRY,
            "timeout_s": {"type": ["number", "null"]},
            "description": {"type": "string"},
            "payload_schema": {"type": ["object", "boolean"]},
            "result_schema": {"type": ["object", "boolean", "null"]},
            "updated_at": _nullable(_time("")),
        },
        "A type that workers have published.",
    ),
    "Types": _items(_ref("Type"), "The types, by name."),
    "Reason": _object(
        {"reason": {"type": ["string", "null"], "description": "why, shown as status_reason"}},
        "Why.",
        "reason",
        additionalProperties=False,
        examples=[{"reason": "ordered by mistake"}],
    ),
    "Stats": _object(
        {
            "at": _time("when"),
            "uptime_s": {"type": "number", "description": "of the API process that answers"},
            "window_s": _COUNT,
            "counts": {
                "type": "object",
                "description": "tasks by status: live ones as sampled, ended ones by the roll-up",
                "additionalProperties": {"type": "integer"},
            },
            "active_workers": _COUNT,
            "success_rate": {
                "type": ["number", "null"],
                "description": "completed among the completed and failed of the window; null: none",
            },
            "throughput_per_s": {"type": "number", "description": "tasks that ended in the window"},
            "wait_s": _ref("Percentiles"),
            "run_s": _ref("Percentiles"),
            "days": {
                "type": "array",
                "description": "the last 7 days in UTC, oldest first",
                "items": _object(
                    {
                        "day": {"type": "string", "format": "date"},
                        "completed": {"type": "integer"},
                        "failed": {"type": "integer"},
                        "cancelled": {"type": "integer"},
                    },
                    "a day",
                ),
            },
            "sampled_at": _nullable(_time("when live tasks were counted; null: never yet")),
            "maintenance": {
                "type": "array",
                "description": "each duty that a supervisor has told about",
                "items": DUTY,
            },
        },
        "Figures of the service.",
    ),
    "Percentiles": _object(
        {
            "n": _COUNT,
            "p50": {"type": ["number", "null"]},
            "p95": {"type": ["number", "null"]},
            "p99": {"type": ["number", "null"]},
        },
        "In seconds, from a histogram whose buckets double: within a factor of 1.5 or so.",
    ),
}
