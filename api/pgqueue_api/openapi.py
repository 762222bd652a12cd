"""The OpenAPI 3.1 document, written once from the schemas that the API itself uses.

Litestar could derive one from handler signatures, but the handlers here give out JSON that
PostgreSQL wrote: there are no Python models to derive from. Tests hold the document against the
routes (each is described, nothing else is) and against the answers (schemathesis).
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import orjson

from pgqueue_api import (
    explain_schemas,
    group_paths,
    group_schemas,
    hook_paths,
    letter_paths,
    letter_schemas,
    limit_paths,
    limit_schemas,
    queue_paths,
    schedule_paths,
    schedule_schemas,
    stream_schemas,
    upload_paths,
    webhook_paths,
    webhook_schemas,
)
from pgqueue_api.openapi_links import add_links
from pgqueue_api.openapi_parts import CURSOR as _CURSOR
from pgqueue_api.openapi_parts import ID as _ID
from pgqueue_api.openapi_parts import IF_MATCH as _IF_MATCH
from pgqueue_api.openapi_parts import KEY as _KEY
from pgqueue_api.openapi_parts import LAST_EVENT_ID as _LAST_EVENT_ID
from pgqueue_api.openapi_parts import NAME as _NAME
from pgqueue_api.openapi_parts import NAME_OF_QUEUE as _QUEUE_NAME
from pgqueue_api.openapi_parts import PREFER as _PREFER
from pgqueue_api.openapi_parts import TASK_FILTERS as _TASK_FILTERS
from pgqueue_api.openapi_parts import TRACEPARENT as _TRACEPARENT
from pgqueue_api.openapi_parts import content as _content
from pgqueue_api.openapi_parts import filter_by as _filter
from pgqueue_api.openapi_parts import limit as _limit
from pgqueue_api.openapi_parts import operation as _operation
from pgqueue_api.openapi_parts import other as _other
from pgqueue_api.problems import MEDIA_TYPE, PROBLEM_CODES, RETRY_AFTER_S
from pgqueue_api.schema_parts import object_of
from pgqueue_api.schemas import COMPONENTS
from pgqueue_api.stream_schemas import stream

__all__ = ["DOCUMENT", "document"]

_PROBLEMS = {
    404: "There is no such thing.",
    405: "The path knows other methods: see Allow.",
    409: "The state of the thing forbids it, or the first request with this key still runs.",
    410: "There was such a task, and it had its time: `task_pruned`.",
    412: "It was changed since it was read: `If-Match` names an older version.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "The request cannot be right; `errors` points at each place.",
    428: "It exists, and `If-Match` does not say which version of it was read.",
    503: "PostgreSQL is not available: try again. Whether a submit was stored is unknown: use an "
    "Idempotency-Key to be able to send it again.",
}

_DESCRIPTION = """\
Submit tasks, watch them live, and manage them. Errors are problems (RFC 9457) with a stable `code`.
Times are RFC 3339 in UTC. Lists have opaque cursors: pass `next` as `cursor` until it is null.
"""


_LOCATION = "the task's path"
_VERSION = "the version of its settings"
_STATE = "names what can be changed of it"
_EVENTS = ("snapshot", "status", "progress", "log")
_TASK_EVENTS = (*_EVENTS, "text", "end")

_PATHS: dict[str, dict[str, Any]] = {
    "/v1/tasks": {
        "post": _operation(
            "tasks",
            "submit",
            "Submit a task",
            "Answers once the task is durable: it survives the crash of any process.",
            {
                201: _content(
                    "Task",
                    "Stored.",
                    Location=_LOCATION,
                    Idempotent_Replayed="`true` when it was stored before, under the same key",
                    Preference_Applied="what of `Prefer` was heard",
                ),
                200: _content(
                    "Task",
                    "Not stored: another task has its `dedup_key`. This is the other.",
                    Location=_LOCATION,
                    Idempotent_Replayed="`true` when the answer was the same before",
                    Preference_Applied="what of `Prefer` was heard",
                ),
            },
            *(404, 409, 413, 415, 422, 503),
            parameters=[_KEY, _PREFER, _TRACEPARENT],
            takes="NewTask",
        ),
        "get": _operation(
            "tasks",
            "list_tasks",
            "List tasks, newest first",
            "Never scans without bound: see `searched_until`.",
            {200: _content("TaskPage", "A page.")},
            *(422, 503),
            parameters=[*_TASK_FILTERS, _CURSOR, _limit(50)],
        ),
    },
    "/v1/tasks/bulk": {
        "post": _operation(
            "tasks",
            "submit_bulk",
            "Submit up to 1,000 tasks",
            "Each is accepted or refused by itself.",
            {
                200: _content(
                    "BulkResult",
                    "What became of each, in the order given.",
                    Idempotent_Replayed="`true` when they were stored before, under the same key",
                )
            },
            *(404, 409, 413, 415, 422, 503),
            parameters=[_KEY, _TRACEPARENT],
            takes="Bulk",
        )
    },
    "/v1/tasks/{id}": {
        "get": _operation(
            "tasks",
            "get_task",
            "Read a task",
            "As it stands now.",
            {200: _content("Task", "The task.", ETag=_STATE)},
            *(404, 410, 503),
            parameters=[_ID],
        ),
        "patch": _operation(
            "tasks",
            "update_task",
            "Change a task that waits",
            "Its priority, or when it runs: `delay_s` 0 is now. It takes its place behind those "
            "that are there. What is left out stays. A task that no longer waits is a 409.",
            {200: _content("Task", "The task afterwards.", ETag=_STATE)},
            *(404, 409, 410, 412, 413, 415, 422, 428, 503),
            parameters=[_ID, _IF_MATCH],
            takes="TaskChange",
        ),
    },
    "/v1/tasks/{id}/cancel": {
        "post": _operation(
            "tasks",
            "cancel_task",
            "Cancel a task",
            "One that waits is cancelled at once; an active one is asked to stop and is cancelled "
            "when its handler has; a finished one stays what it is.",
            {200: _content("Task", "The task afterwards.")},
            *(404, 410, 413, 415, 422, 503),
            parameters=[_ID],
            takes="Reason",
        )
    },
    "/v1/tasks/{id}/retry": {
        "post": _operation(
            "tasks",
            "retry_task",
            "Run a task again",
            "A failed or cancelled one anew, a retrying one now.",
            {200: _content("Task", "The task afterwards.")},
            *(404, 409, 410, 503),
            parameters=[_ID],
        )
    },
    "/v1/tasks/{id}/attempts": {
        "get": _operation(
            "tasks",
            "list_attempts",
            "List a task's attempts",
            "Latest first, the one that runs included.",
            {200: _content("Attempts", "Every start.")},
            *(404, 410, 503),
            parameters=[_ID],
        )
    },
    "/v1/tasks/{id}/checkpoints": {
        "get": _operation(
            "tasks",
            "list_checkpoints",
            "List what a task remembers",
            "The results of its steps by name; the last checkpoint has the name ''. At most 1,000 "
            "names and 4 MiB of data.",
            {200: _content("Checkpoints", "What it remembers.")},
            *(404, 410, 503),
            parameters=[_ID],
        )
    },
    "/v1/tasks/{id}/logs": {
        "get": _operation(
            "tasks",
            "list_logs",
            "List what the handler logged",
            "In order.",
            {200: _content("Logs", "A page.")},
            *(404, 410, 422, 503),
            parameters=[_ID, _CURSOR, _limit(100)],
        )
    },
    "/v1/tasks/{id}/artifacts": {
        "get": _operation(
            "tasks",
            "list_artifacts",
            "List a task's files",
            "By name.",
            {200: _content("Artifacts", "The files.")},
            *(404, 410, 503),
            parameters=[_ID],
        )
    },
    "/v1/tasks/{id}/artifacts/{name}": {
        "get": _operation(
            "tasks",
            "get_artifact",
            "Read a file",
            "With its own content type; the ETag is its SHA-256.",
            {
                200: _other("*/*", "The file.", {"type": "string", "format": "binary"}),
                304: {"description": "Unchanged since `If-None-Match`."},
            },
            *(404, 410, 422, 503),
            parameters=[_ID, {**_NAME, "example": "report.pdf"}],
        )
    },
    "/v1/tasks/{id}/events": {
        "get": _operation(
            "events",
            "watch_task",
            "Watch a task",
            "Frames: `snapshot` first, then `status`, `progress`, `log` and `text` (a piece of "
            "what the handler writes: task_id, lease_id, seq, at and text), at the end `end`. Each "
            "but `log` and `text` carries the whole task as JSON. A comment comes every 15 s.",
            {200: stream(_TASK_EVENTS, "Task", "Log", "Text")},
            *(404, 410, 503),
            parameters=[_ID, _LAST_EVENT_ID],
        )
    },
    "/v1/events": {
        "get": _operation(
            "events",
            "watch_tasks",
            "Watch all tasks, those of a queue, or those of a type",
            "Frames: `snapshot` first and every few seconds (`queues`, with their depth, and "
            "`active` tasks), then `status`, `progress` and `log` of the tasks. Where more changes "
            "than can be shown, the newest state of a part is.",
            {200: stream(_EVENTS, "Activity", "Task", "Log")},
            *(422, 503),
            parameters=[*_TASK_FILTERS[:2], _LAST_EVENT_ID],
        )
    },
    "/v1/queues": {
        "get": _operation(
            "overview",
            "list_queues",
            "List queues",
            "With their settings and their depth, sampled every few seconds.",
            {200: _content("Queues", "The queues.")},
            503,
        )
    },
    "/v1/queues/{name}": {
        "get": _operation(
            "overview",
            "get_queue",
            "Read a queue",
            "With its settings and its depth, sampled every few seconds.",
            {200: _content("Queue", "The queue.", ETag=_VERSION)},
            *(404, 422, 503),
            parameters=[_NAME],
        ),
        "put": _operation(
            "overview",
            "put_queue",
            "Make a queue, or replace its settings",
            "What is left out is set no longer. One that is there needs If-Match.",
            {
                200: _content("Queue", "The queue afterwards.", ETag=_VERSION),
                201: _content("Queue", "Made.", ETag=_VERSION, Location="the queue's path"),
            },
            *(412, 413, 415, 422, 428, 503),
            parameters=[_QUEUE_NAME, _IF_MATCH],
            takes="QueueSettings",
        ),
        "patch": _operation(
            "overview",
            "patch_queue",
            "Change settings of a queue",
            "What is left out stays; null takes a setting away.",
            {200: _content("Queue", "The queue afterwards.", ETag=_VERSION)},
            *(404, 412, 413, 415, 422, 428, 503),
            parameters=[_NAME, _IF_MATCH],
            takes="QueueSettings",
        ),
    },
    "/v1/workers": {
        "get": _operation(
            "overview",
            "list_workers",
            "List worker processes",
            "Those that run; with `all` those that are gone, too.",
            {200: _content("Workers", "The workers.")},
            *(422, 503),
            parameters=[_filter("all", {"type": "boolean", "default": False}, "the gone, too")],
        )
    },
    "/v1/types": {
        "get": _operation(
            "overview",
            "list_types",
            "List types",
            "As workers have published them, with the schema of their payload.",
            {200: _content("Types", "The types.")},
            503,
        )
    },
    "/v1/types/{name}": {
        "get": _operation(
            "overview",
            "get_type",
            "Read a type",
            "With the schema of its payload.",
            {200: _content("Type", "The type.")},
            *(404, 422, 503),
            parameters=[{**_NAME, "example": "sleep"}],
        )
    },
    "/v1/stats": {
        "get": _operation(
            "overview",
            "get_stats",
            "Read figures",
            "Counts, success rate, throughput, waits and runs, the last 7 days. From the roll-up: "
            "it costs the same however many tasks there are.",
            {200: _content("Stats", "The figures.")},
            *(422, 503),
            parameters=[
                _filter(
                    "window_s",
                    {"type": "integer", "minimum": 60, "maximum": 604_800, "default": 3600},
                    "how far back rates and percentiles look, in seconds",
                ),
                *_TASK_FILTERS[:2],
            ],
        )
    },
    "/healthz": {
        "get": _operation(
            "operation",
            "healthz",
            "Alive?",
            "Asks nobody else.",
            {200: _other("application/json", "Yes.", {"type": "object"})},
        )
    },
    "/readyz": {
        "get": _operation(
            "operation",
            "readyz",
            "Ready?",
            "Database reachable, schema fitting, notifications arriving. `degraded` (200): "
            "settings of PostgreSQL that `unsafe` names are off, so a crash may lose tasks.",
            {
                200: _other(
                    "application/json",
                    "Yes.",
                    object_of(
                        {
                            "status": {"enum": ["ready", "degraded"]},
                            "schema": {"type": "integer"},
                            "unsafe": {"type": "array", "items": {"type": "string"}},
                        },
                        "Ready.",
                        "unsafe",
                    ),
                )
            },
            503,
        )
    },
    "/metrics": {
        "get": _operation(
            "operation",
            "metrics",
            "Prometheus metrics",
            "Of this process, and the depth of the queues.",
            {200: _other("text/plain", "The metrics.")},
        )
    },
    "/openapi.json": {
        "get": _operation(
            "operation",
            "openapi",
            "This document",
            "OpenAPI 3.1.",
            {200: _other("application/json", "The document.", {"type": "object"})},
        )
    },
    "/docs": {
        "get": _operation(
            "operation",
            "docs",
            "This document, for people",
            "Works offline.",
            {200: _other("text/html", "The page.")},
        )
    },
}


def document() -> dict[str, Any]:
    """Give the document."""
    try:
        release = version("pgqueue")
    except PackageNotFoundError:
        release = "0"
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    responses: dict[str, Any] = {
        f"Problem{status}": {"description": text, "content": {MEDIA_TYPE: problem}}
        for status, text in _PROBLEMS.items()
    }
    responses["Problem503"]["headers"] = {
        "Retry-After": {
            "description": "seconds",
            "schema": {"type": "integer", "examples": [RETRY_AFTER_S]},
        }
    }
    paths = {
        **_PATHS,
        **letter_paths.PATHS,
        **group_paths.PATHS,
        **queue_paths.PATHS,
        **limit_paths.PATHS,
        **hook_paths.PATHS,
        **upload_paths.PATHS,
        **schedule_paths.PATHS,
        **webhook_paths.PATHS,
    }
    add_links(paths)
    return {
        "openapi": "3.1.0",
        "x-problems": PROBLEM_CODES,
        "info": {
            "title": "pgqueue",
            "version": release,
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "tasks", "description": "Submit, read and manage tasks."},
            {"name": "artifacts", "description": "Files for tasks to work on."},
            {"name": "schedules", "description": "Tasks at times, by cron or once."},
            {"name": "batches", "description": "Tasks that belong together."},
            {"name": "dead letters", "description": "What failed for good."},
            {"name": "operations", "description": "Redrive, cancel or delete many."},
            {"name": "events", "description": "Watch tasks live."},
            {"name": "webhooks", "description": "Tell others of what happens."},
            {"name": "overview", "description": "Queues, workers, types, figures."},
            {"name": "operation", "description": "For orchestrators and people."},
        ],
        "paths": paths,
        "components": {
            "schemas": {
                **COMPONENTS,
                **letter_schemas.COMPONENTS,
                **group_schemas.COMPONENTS,
                **limit_schemas.COMPONENTS,
                **explain_schemas.COMPONENTS,
                **hook_paths.COMPONENTS,
                **upload_paths.COMPONENTS,
                **schedule_schemas.COMPONENTS,
                **webhook_schemas.COMPONENTS,
                **stream_schemas.COMPONENTS,
            },
            "responses": responses,
        },
    }


DOCUMENT = orjson.dumps(document())
