"""What of the OpenAPI document is still written by hand: the nouns that declare nothing yet."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pgqueue_api.openapi import (
    groups,
    schedules,
)
from pgqueue_api.problems import MEDIA_TYPE, PROBLEM_CODES, RETRY_AFTER_S
from pgqueue_api.schemas.components import COMPONENTS

__all__ = ["handwritten"]

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

_PATHS = {
    **groups.PATHS,
    **schedules.PATHS,
}


def handwritten() -> dict[str, Any]:
    """Return that part."""
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
    paths = {**_PATHS}
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
            "schemas": COMPONENTS,
            "responses": responses,
        },
    }
