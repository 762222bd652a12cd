"""JSON Schemas of batches, of what tasks wait for, and of the graph that they are."""

from __future__ import annotations

from typing import Any

from pgqueue_api.schemas.parts import URL, Schema, items, nullable, object_of, ref, time

__all__ = ["BATCH_STATUSES", "COMPONENTS", "NEW_BATCH", "NEW_BATCH_TASKS"]

BATCH_STATUSES = ("open", "running", "completed", "failed", "cancelled")

_ID: Schema = {"type": "string", "format": "uuid"}
_COUNT: Schema = {"type": "integer", "minimum": 0}

_POLICY: Schema = {"enum": ["cancel", "run", "fail"]}
_TASKS: Schema = {"type": "array", "maxItems": 1000, "items": ref("TaskInput")}
_CALLBACK: Schema = nullable(
    ref("TaskInput"),
    "a task that is enqueued once, at most, when the batch ends; without a payload it gets the "
    "batch's id, name, outcome and counts",
)

NEW_BATCH = object_of(
    {
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "tasks": {**_TASKS, "description": "what it holds; without, it is open"},
        "open": {
            "type": "boolean",
            "description": "whether more is to be added; without it, only if there are no tasks",
        },
        "metadata": {"type": "object", "description": "anything, kept with it"},
        "parent_id": {**nullable(_ID), "description": "an open batch that this one is part of"},
        "on_success": _CALLBACK,
        "on_failure": _CALLBACK,
        "on_complete": _CALLBACK,
        "callback_url": nullable(URL, "told by a signed POST when it ends: see docs/webhooks.md"),
    },
    "Tasks that belong together.",
    *("tasks", "open", "metadata", "parent_id", "on_success", "on_failure", "on_complete"),
    "callback_url",
    additionalProperties=False,
    examples=[
        {
            "name": "invoices",
            "tasks": [{"type": "noop"}, {"type": "noop", "depends_on": [0]}],
            "on_success": {"type": "noop", "payload": {}},
        }
    ],
)

NEW_BATCH_TASKS = object_of(
    {"tasks": {**_TASKS, "minItems": 1}},
    "Up to 1,000 tasks.",
    additionalProperties=False,
    examples=[{"tasks": [{"type": "noop"}]}],
)

_BATCH = object_of(
    {
        "id": _ID,
        "name": {"type": "string"},
        "status": {
            "enum": list(BATCH_STATUSES),
            "description": "open: more may be added; running; then how it ended: completed only "
            "if everything in it did",
        },
        "metadata": {"type": "object"},
        "callback_url": {"type": ["string", "null"]},
        "parent_id": nullable(_ID),
        "total": {**_COUNT, "description": "its tasks"},
        "waiting": {**_COUNT, "description": "of these, not started yet, or to be tried again"},
        "active": _COUNT,
        "completed": _COUNT,
        "failed": _COUNT,
        "cancelled": _COUNT,
        "batches": {**_COUNT, "description": "the batches in it"},
        "batches_ended": _COUNT,
        "batches_failed": {**_COUNT, "description": "of those that ended: not completed"},
        "percent": {
            "type": "number",
            "minimum": 0,
            "maximum": 100,
            "description": "how much of its tasks and of the batches in it has ended",
        },
        "success_task_id": {**nullable(_ID), "description": "what on_success became"},
        "failure_task_id": nullable(_ID),
        "complete_task_id": nullable(_ID),
        "created_at": time("when it was made"),
        "closed_at": nullable(time("since when nothing can be added")),
        "cancelled_at": nullable(time("when the whole was cancelled")),
        "ended_at": nullable(time("when all in it had ended")),
    },
    "A batch as it stands.",
)

_NODE = object_of(
    {
        "id": _ID,
        "type": {"type": "string"},
        "queue": {"type": "string"},
        "status": {"type": "string"},
        "status_reason": {"type": ["string", "null"]},
        "batch_id": nullable(_ID),
    },
    "A task of the graph.",
)

_GRAPH = object_of(
    {
        "task_id": _ID,
        "nodes": {"type": "array", "items": _NODE},
        "edges": {
            "type": "array",
            "items": object_of(
                {
                    "from": {**_ID, "description": "the task that is waited for"},
                    "to": {**_ID, "description": "the task that waits"},
                    "on_failure": _POLICY,
                },
                "Who waits for whom.",
            ),
        },
        "truncated": {
            "type": "boolean",
            "description": "there are more: 1,000 tasks and 10,000 edges are shown at most",
        },
    },
    "The tasks that a task waits for and that wait for it, near and far.",
)

COMPONENTS: dict[str, Any] = {
    "NewBatch": NEW_BATCH,
    "NewBatchTasks": NEW_BATCH_TASKS,
    "Batch": _BATCH,
    "BatchPage": {
        **items(ref("Batch"), "A page of batches, latest first."),
        "properties": {
            "items": {"type": "array", "items": ref("Batch")},
            "next": {"type": ["string", "null"], "description": "the cursor of the next page"},
        },
        "required": ["items", "next"],
    },
    "BatchTasks": object_of(
        {
            "items": {"type": "array", "items": ref("Task")},
            "next": {"type": ["string", "null"], "description": "the cursor of the next page"},
        },
        "A page of a batch's tasks, in the order made. With a filter it may be short, or empty.",
    ),
    "BatchTaskIds": object_of(
        {"ids": {"type": "array", "items": _ID}}, "The ids of the tasks, in the order given."
    ),
    "Graph": _GRAPH,
}
