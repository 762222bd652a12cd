"""The paths of dead letters, operations and notices in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pgqueue_api.openapi.parts import (
    CURSOR,
    ID,
    TASK_FILTERS,
    TIME,
    content,
    filter_by,
    limit,
    operation,
    parameter,
)
from pgqueue_api.schemas.dead_letters import FINGERPRINT, KINDS, STATES
from pgqueue_api.schemas.streams import stream

__all__ = ["PATHS"]

_FILTERS = [
    *TASK_FILTERS[:2],
    filter_by("fingerprint", FINGERPRINT, "only failures of this kind"),
    filter_by("from", TIME, "failed at or after"),
    filter_by("to", TIME, "failed before"),
]
_OPERATION_ID = {**ID, "description": "the operation's id"}
_QUEUE = parameter(
    "path",
    "queue",
    {"type": "string", "minLength": 1, "maxLength": 100},
    "its name, or `*` for all that have no policy of their own",
    required=True,
    example="default",
)
_GONE = {"description": "Gone."}

PATHS: dict[str, dict[str, Any]] = {
    "/v1/dead-letters": {
        "get": operation(
            "dead letters",
            "list_dead_letters",
            "List tasks that failed for good",
            "Latest first. One that is run again leaves the list.",
            {200: content("DeadLetterPage", "A page.")},
            *(422, 503),
            parameters=[*_FILTERS, CURSOR, limit(50)],
        )
    },
    "/v1/dead-letters/groups": {
        "get": operation(
            "dead letters",
            "group_dead_letters",
            "Count them by fingerprint",
            "The largest group first, each with an example. Counts the latest 20,000 at most.",
            {200: content("DeadLetterGroups", "The groups.")},
            *(422, 503),
            parameters=[*_FILTERS, limit(50)],
        )
    },
    "/v1/dead-letters/policies": {
        "get": operation(
            "dead letters",
            "list_dead_letter_policies",
            "List how long they are kept and how many are too many",
            "`*` holds for every queue that says nothing else.",
            {200: content("DeadLetterPolicies", "The policies.")},
            503,
        )
    },
    "/v1/dead-letters/policies/{queue}": {
        "patch": operation(
            "dead letters",
            "patch_dead_letter_policy",
            "Say how long they are kept and how many are too many",
            "For one queue, or with `*` for all that say nothing else.",
            {200: content("DeadLetterPolicies", "All policies afterwards.")},
            *(413, 415, 422, 503),
            parameters=[_QUEUE],
            takes="DeadLetterPolicy",
        ),
        "delete": operation(
            "dead letters",
            "reset_dead_letter_policy",
            "Let the usual hold again",
            "For `*` that is what pgqueue came with.",
            {204: _GONE},
            *(422, 503),
            parameters=[_QUEUE],
        ),
    },
    "/v1/dead-letters/{id}": {
        "get": operation(
            "dead letters",
            "get_dead_letter",
            "Read a dead letter",
            "By its task's id.",
            {200: content("DeadLetter", "The dead letter.")},
            *(404, 503),
            parameters=[ID],
        ),
        "delete": operation(
            "dead letters",
            "delete_dead_letter",
            "Delete a dead letter",
            "Its task stays failed, and is forgotten with its day.",
            {204: _GONE},
            *(404, 503),
            parameters=[ID],
        ),
    },
    "/v1/dead-letters/{id}/redrive": {
        "post": operation(
            "dead letters",
            "redrive_dead_letter",
            "Run it again",
            "With as many attempts as it had at first. Where its day is gone, as a new task.",
            {200: content("Redriven", "What runs now.")},
            *(404, 409, 503),
            parameters=[ID],
        )
    },
    "/v1/operations": {
        "post": operation(
            "operations",
            "start_operation",
            "Redrive, cancel or delete many",
            "It runs on any supervisor, in throttled parts, and survives whatever dies meanwhile. "
            "With `dry_run` nothing is stored.",
            {
                200: content("OperationPreview", "What it would do (`dry_run`)."),
                201: content("Operation", "It will run.", Location="the operation's path"),
            },
            *(409, 413, 415, 422, 503),
            takes="NewOperation",
        ),
        "get": operation(
            "operations",
            "list_operations",
            "List operations, latest first",
            "They are kept: who asked for what, when, and what became of it.",
            {200: content("OperationPage", "A page.")},
            *(422, 503),
            parameters=[
                filter_by("kind", {"enum": list(KINDS)}, "only this kind"),
                filter_by("state", {"enum": list(STATES)}, "only in this state"),
                CURSOR,
                limit(50),
            ],
        ),
    },
    "/v1/operations/{id}": {
        "get": operation(
            "operations",
            "get_operation",
            "Read an operation",
            "As it stands now.",
            {200: content("Operation", "The operation.")},
            *(404, 503),
            parameters=[_OPERATION_ID],
        )
    },
    "/v1/operations/{id}/cancel": {
        "post": operation(
            "operations",
            "cancel_operation",
            "Stop an operation",
            "After the part that runs now. What is done stays done; one that has ended stays what "
            "it is.",
            {200: content("Operation", "The operation afterwards.")},
            *(404, 503),
            parameters=[_OPERATION_ID],
        )
    },
    "/v1/operations/{id}/events": {
        "get": operation(
            "events",
            "watch_operation",
            "Watch an operation",
            "Frames: `snapshot` first, then `progress`, five a second at most, at the end `end`. "
            "Each carries the whole operation as JSON. A comment comes every 15 s.",
            {200: stream(("snapshot", "progress", "end"), "Operation")},
            *(404, 503),
            parameters=[_OPERATION_ID],
        )
    },
    "/v1/notices": {
        "get": operation(
            "overview",
            "list_notices",
            "List what people should know of",
            "Such as dead letters that grow; each is told once. Latest first.",
            {200: content("NoticePage", "A page.")},
            *(422, 503),
            parameters=[CURSOR, limit(50)],
        )
    },
}
