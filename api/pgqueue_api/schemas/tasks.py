"""JSON Schemas of tasks, of what is submitted, and of what a task leaves."""

from __future__ import annotations

from pgqueue_api.schemas.groups import TIES
from pgqueue_api.schemas.parts import (
    ANYTHING,
    COUNT,
    EXAMPLE_ID,
    OUTCOMES,
    QUEUE_NAME,
    STATUSES,
    TYPE_NAME,
    URL,
    Schema,
    items,
    nullable,
    object_of,
    ref,
    time,
)
from pgqueue_api.schemas.queues import RETRY
from pgqueue_api.schemas.unique import DEDUP, task_change

__all__ = ["BULK", "COMPONENTS", "NEW_TASK", "TASK_CHANGE"]

_MOST_DELAY_S = 10 * 365 * 86_400
_LONGEST_TIMEOUT_S = 30 * 86_400
_QUEUE = {
    "type": "string",
    "pattern": QUEUE_NAME,
    "description": "the type's own queue if not given",
}

NEW_TASK = object_of(
    {
        "type": {**TYPE_NAME, "description": "which handler runs it"},
        "payload": {
            "type": "object",
            "description": "what the handler gets; checked against the type's schema",
        },
        "queue": nullable(_QUEUE),
        "priority": {
            "description": "0 (first) to 10 (last); high is 2, normal is 5, low is 8",
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 10},
                {"enum": ["high", "normal", "low"]},
                {"type": "null"},
            ],
        },
        "run_at": nullable(time("when to run it at the earliest (RFC 3339)")),
        "delay_s": {
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": _MOST_DELAY_S,
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
        "expires_at": nullable(time("cancelled if it has not started by then (RFC 3339)")),
        "expires_in_s": {
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": _MOST_DELAY_S,
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
        "callback_url": nullable(URL, "told by a signed POST when it ends: see docs/webhooks.md"),
    },
    "A task to run.",
    *("payload", "queue", "priority", "run_at", "delay_s", "max_attempts", "timeout_s", "retry"),
    *("expires_at", "expires_in_s", "fairness_key", "limit_key", "cost", "callback_url"),
    *(*DEDUP, *TIES),
    additionalProperties=False,
    examples=[{"type": "sleep", "payload": {"delay_ms": 2000}, "priority": "high"}],
)

TASK_CHANGE = task_change(NEW_TASK)

BULK = object_of(
    {
        "tasks": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1000,
            "items": ref("NewTask"),
        }
    },
    "Up to 1,000 tasks.",
    additionalProperties=False,
    examples=[{"tasks": [{"type": "noop"}, {"type": "sleep", "payload": {"delay_ms": 100}}]}],
)

_PROGRESS = nullable(
    object_of(
        {
            "percent": {"type": ["number", "null"]},
            "message": {"type": ["string", "null"]},
            "at": nullable(time("when the handler said so")),
        },
        "how far the handler says it is",
    )
)

_TASK = object_of(
    {
        "id": {"type": "string", "format": "uuid"},
        "type": TYPE_NAME,
        "queue": {"type": "string"},
        "status": {"enum": list(STATUSES)},
        "status_reason": {"type": ["string", "null"], "description": "why, in plain words"},
        "priority": {"type": "integer"},
        "payload": ANYTHING,
        "result": {"description": "what the handler returned; null until completed"},
        "error": {"description": "why it failed, as {type, message, traceback}; null if not"},
        "attempt": {**COUNT, "description": "starts so far"},
        "max_attempts": COUNT,
        "progress": _PROGRESS,
        "created_at": time("when it was enqueued"),
        "run_at": nullable(time("when it runs at the earliest; null: at once")),
        "started_at": nullable(time("when its latest attempt started")),
        "finished_at": nullable(time("when it ended")),
        "next_retry_at": nullable(time("when it is tried again")),
        "crash_count": {**COUNT, "description": "how often a worker died over it"},
        "timeout_s": {"type": ["number", "null"]},
        "retry": RETRY,
        "dedup_key": {"type": ["string", "null"]},
        "expires_at": nullable(time("cancelled if it has not started by then")),
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

COMPONENTS: dict[str, Schema] = {
    "NewTask": NEW_TASK,
    "TaskChange": TASK_CHANGE,
    "Bulk": BULK,
    "Task": _TASK,
    "TaskPage": object_of(
        {
            "items": {"type": "array", "items": ref("Task")},
            "next": {
                "type": ["string", "null"],
                "description": "the cursor of the next page; null when all has been searched",
            },
            "searched_until": nullable(
                time("every match created since then has been given; null: there is no older one")
            ),
        },
        "A page of tasks, newest first. It may hold fewer than asked for, or none, and still have "
        "a next one: a page searches for half a second at most and holds some 4 MiB at most.",
    ),
    "BulkResult": object_of(
        {
            "accepted": COUNT,
            "refused": COUNT,
            "items": {
                "type": "array",
                "description": "one for each task, in the order given",
                "items": object_of(
                    {
                        "ok": {"type": "boolean"},
                        "id": {"type": "string", "format": "uuid"},
                        "task": ref("Task"),
                        "problem": ref("Problem"),
                    },
                    "a task, or the problem with it",
                    *("id", "task", "problem"),
                ),
            },
        },
        "What became of each.",
    ),
    "Attempts": items(
        object_of(
            {
                "task_id": {"type": "string", "format": "uuid"},
                "lease_id": {"type": "integer"},
                "attempt": COUNT,
                "outcome": {"enum": [*OUTCOMES, None], "description": "null while it runs"},
                "final": {"type": "boolean", "description": "whether it ended the task"},
                "result": ANYTHING,
                "error": ANYTHING,
                "worker": {"type": ["string", "null"]},
                "started_at": nullable(time("")),
                "finished_at": nullable(time("")),
            },
            "a start of the task",
        ),
        "Every start of a task, latest first.",
    ),
    "Checkpoints": items(
        object_of(
            {
                "name": {"type": "string", "description": "of the step; '' for ctx.checkpoint"},
                "attempt": {**COUNT, "description": "the attempt that saved it"},
                "lease_id": {"type": "integer"},
                "at": nullable(time("")),
                "size": {**COUNT, "description": "of the data as JSON, in bytes"},
                "data": ANYTHING,
            },
            "something that later attempts are given",
        ),
        "What the task remembers, by name.",
    ),
    "Log": object_of(
        {
            "task_id": {"type": "string", "format": "uuid"},
            "lease_id": {"type": "integer"},
            "seq": {"type": "integer", "description": "the lease's own counter"},
            "at": nullable(time("")),
            "level": {"type": "string"},
            "message": {"type": "string"},
            "data": ANYTHING,
        },
        "A line that a handler logged.",
    ),
    "Logs": object_of(
        {
            "items": {"type": "array", "items": ref("Log")},
            "next": {"type": ["string", "null"], "description": "the cursor of the next page"},
        },
        "What the handler logged, in order.",
    ),
    "Artifacts": items(
        object_of(
            {
                "name": {"type": "string"},
                "content_type": {"type": "string"},
                "size": COUNT,
                "sha256": {"type": "string"},
                "created_at": nullable(time("")),
                "href": {"type": "string"},
            },
            "a file that a handler made",
        ),
        "The files of a task.",
    ),
    "Reason": object_of(
        {"reason": {"type": ["string", "null"], "description": "why, shown as status_reason"}},
        "Why.",
        "reason",
        additionalProperties=False,
        examples=[{"reason": "ordered by mistake"}],
    ),
}
