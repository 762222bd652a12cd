"""The paths of tasks."""

from __future__ import annotations

from typing import Any

from pgqueue_api.openapi.parts import (
    CURSOR,
    ID,
    IF_MATCH,
    KEY,
    LAST_EVENT_ID,
    NAME,
    PREFER,
    TASK_FILTERS,
    TRACEPARENT,
    content,
    limit,
    operation,
    other,
)
from pgqueue_api.schemas.streams import stream

__all__ = ["PATHS"]

_LOCATION = "the task's path"
_STATE = "names what can be changed of it"
_EVENTS = ("snapshot", "status", "progress", "log")
_TASK_EVENTS = (*_EVENTS, "text", "end")

PATHS: dict[str, dict[str, Any]] = {
    "/v1/tasks": {
        "post": operation(
            "tasks",
            "submit",
            "Submit a task",
            "Answers once the task is durable: it survives the crash of any process.",
            {
                201: content(
                    "Task",
                    "Stored.",
                    Location=_LOCATION,
                    Idempotent_Replayed="`true` when it was stored before, under the same key",
                    Preference_Applied="what of `Prefer` was heard",
                ),
                200: content(
                    "Task",
                    "Not stored: another task has its `dedup_key`. This is the other.",
                    Location=_LOCATION,
                    Idempotent_Replayed="`true` when the answer was the same before",
                    Preference_Applied="what of `Prefer` was heard",
                ),
            },
            *(404, 409, 413, 415, 422, 503),
            parameters=[KEY, PREFER, TRACEPARENT],
            takes="NewTask",
        ),
        "get": operation(
            "tasks",
            "list_tasks",
            "List tasks, newest first",
            "Never scans without bound: see `searched_until`.",
            {200: content("TaskPage", "A page.")},
            *(422, 503),
            parameters=[*TASK_FILTERS, CURSOR, limit(50)],
        ),
    },
    "/v1/tasks/bulk": {
        "post": operation(
            "tasks",
            "submit_bulk",
            "Submit up to 1,000 tasks",
            "Each is accepted or refused by itself.",
            {
                200: content(
                    "BulkResult",
                    "What became of each, in the order given.",
                    Idempotent_Replayed="`true` when they were stored before, under the same key",
                )
            },
            *(404, 409, 413, 415, 422, 503),
            parameters=[KEY, TRACEPARENT],
            takes="Bulk",
        )
    },
    "/v1/tasks/{id}": {
        "get": operation(
            "tasks",
            "get_task",
            "Read a task",
            "As it stands now.",
            {200: content("Task", "The task.", ETag=_STATE)},
            *(404, 410, 503),
            parameters=[ID],
        ),
        "patch": operation(
            "tasks",
            "update_task",
            "Change a task that waits",
            "Its priority, or when it runs: `delay_s` 0 is now. It takes its place behind those "
            "that are there. What is left out stays. A task that no longer waits is a 409.",
            {200: content("Task", "The task afterwards.", ETag=_STATE)},
            *(404, 409, 410, 412, 413, 415, 422, 428, 503),
            parameters=[ID, IF_MATCH],
            takes="TaskChange",
        ),
    },
    "/v1/tasks/{id}/cancel": {
        "post": operation(
            "tasks",
            "cancel_task",
            "Cancel a task",
            "One that waits is cancelled at once; an active one is asked to stop and is cancelled "
            "when its handler has; a finished one stays what it is.",
            {200: content("Task", "The task afterwards.")},
            *(404, 410, 413, 415, 422, 503),
            parameters=[ID],
            takes="Reason",
        )
    },
    "/v1/tasks/{id}/retry": {
        "post": operation(
            "tasks",
            "retry_task",
            "Run a task again",
            "A failed or cancelled one anew, a retrying one now.",
            {200: content("Task", "The task afterwards.")},
            *(404, 409, 410, 503),
            parameters=[ID],
        )
    },
    "/v1/tasks/{id}/attempts": {
        "get": operation(
            "tasks",
            "list_attempts",
            "List a task's attempts",
            "Latest first, the one that runs included.",
            {200: content("Attempts", "Every start.")},
            *(404, 410, 503),
            parameters=[ID],
        )
    },
    "/v1/tasks/{id}/checkpoints": {
        "get": operation(
            "tasks",
            "list_checkpoints",
            "List what a task remembers",
            "The results of its steps by name; the last checkpoint has the name ''. At most 1,000 "
            "names and 4 MiB of data.",
            {200: content("Checkpoints", "What it remembers.")},
            *(404, 410, 503),
            parameters=[ID],
        )
    },
    "/v1/tasks/{id}/logs": {
        "get": operation(
            "tasks",
            "list_logs",
            "List what the handler logged",
            "In order.",
            {200: content("Logs", "A page.")},
            *(404, 410, 422, 503),
            parameters=[ID, CURSOR, limit(100)],
        )
    },
    "/v1/tasks/{id}/artifacts": {
        "get": operation(
            "tasks",
            "list_artifacts",
            "List a task's files",
            "By name.",
            {200: content("Artifacts", "The files.")},
            *(404, 410, 503),
            parameters=[ID],
        )
    },
    "/v1/tasks/{id}/artifacts/{name}": {
        "get": operation(
            "tasks",
            "get_artifact",
            "Read a file",
            "With its own content type; the ETag is its SHA-256.",
            {
                200: other("*/*", "The file.", {"type": "string", "format": "binary"}),
                304: {"description": "Unchanged since `If-None-Match`."},
            },
            *(404, 410, 422, 503),
            parameters=[ID, {**NAME, "example": "report.pdf"}],
        )
    },
    "/v1/tasks/{id}/events": {
        "get": operation(
            "events",
            "watch_task",
            "Watch a task",
            "Frames: `snapshot` first, then `status`, `progress`, `log` and `text` (a piece of "
            "what the handler writes: task_id, lease_id, seq, at and text), at the end `end`. Each "
            "but `log` and `text` carries the whole task as JSON. A comment comes every 15 s.",
            {200: stream(_TASK_EVENTS, "Task", "Log", "Text")},
            *(404, 410, 503),
            parameters=[ID, LAST_EVENT_ID],
        )
    },
    "/v1/events": {
        "get": operation(
            "events",
            "watch_tasks",
            "Watch all tasks, those of a queue, or those of a type",
            "Frames: `snapshot` first and every few seconds (`queues`, with their depth, and "
            "`active` tasks), then `status`, `progress` and `log` of the tasks. Where more changes "
            "than can be shown, the newest state of a part is.",
            {200: stream(_EVENTS, "Activity", "Task", "Log")},
            *(422, 503),
            parameters=[*TASK_FILTERS[:2], LAST_EVENT_ID],
        )
    },
}
