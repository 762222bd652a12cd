"""JSON Schemas of dead letters, of operations over many tasks, and of notices."""

from __future__ import annotations

from typing import Any

from pgqueue_api.schemas.parts import Schema, items, nullable, object_of, ref, time

__all__ = ["COMPONENTS", "FINGERPRINT", "KINDS", "NEW_OPERATION", "POLICY", "STATES"]

KINDS = ("redrive", "cancel", "delete", "retry")
STATES = ("queued", "running", "completed", "cancelled", "failed")
FINGERPRINT: Schema = {"type": "string", "pattern": "^[0-9a-f]{16}$"}

_ID: Schema = {"type": "string", "format": "uuid"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 100}
_ANYTHING: Schema = {"description": "any JSON"}
_NEXT: Schema = {"type": ["string", "null"], "description": "the cursor of the next page"}

_FILTER = object_of(
    {
        "type": _NAME,
        "queue": _NAME,
        "fingerprint": FINGERPRINT,
        "status": {
            "enum": ["queued", "scheduled", "retrying", "blocked", "active"],
            "description": "of tasks to cancel",
        },
        "from": time("failed, or with cancel created, at or after"),
        "to": time("failed, or with cancel created, before"),
        "ids": {"type": "array", "items": _ID, "minItems": 1, "maxItems": 1000},
        "all": {"const": True, "description": "everything there is; stands alone"},
        "batch_id": {
            **_ID,
            "description": "of this batch and those in it; stands alone, with cancel and retry",
        },
    },
    "Which tasks: those that all of this holds for.",
    *("type", "queue", "fingerprint", "status", "from", "to", "ids", "all", "batch_id"),
    additionalProperties=False,
    minProperties=1,
)

NEW_OPERATION = object_of(
    {
        "kind": {
            "enum": list(KINDS),
            "description": "redrive and delete work on dead letters, cancel on live tasks, retry "
            "on what failed in a batch",
        },
        "filter": _FILTER,
        "per_second": {
            "type": "number",
            "minimum": 0.1,
            "maximum": 2000,
            "default": 100,
            "description": "tasks a second at most",
        },
        "dry_run": {
            "type": "boolean",
            "default": False,
            "description": "only say how many it would be, and show some",
        },
        "reason": {"type": ["string", "null"], "maxLength": 1000, "description": "why, kept"},
    },
    "An operation over many tasks.",
    *("per_second", "dry_run", "reason"),
    additionalProperties=False,
    examples=[
        {
            "kind": "redrive",
            "filter": {"queue": "email", "from": "2026-01-02T00:00:00Z"},
            "per_second": 50,
            "reason": "the mail server is back",
        }
    ],
)

POLICY = object_of(
    {
        "retention_s": {
            "type": "number",
            "minimum": 3600,
            "maximum": 3_153_600_000,
            "description": "how long dead letters are kept",
        },
        "growth_limit": {
            "type": "integer",
            "minimum": 1,
            "maximum": 2_147_483_647,
            "description": "more than so many an hour are told",
        },
        "alert_type": {**_NAME, "description": "the type of task that is enqueued then"},
    },
    "What is left out stays as it is.",
    *("retention_s", "growth_limit", "alert_type"),
    additionalProperties=False,
    minProperties=1,
    examples=[{"retention_s": 604_800, "growth_limit": 20, "alert_type": "page_someone"}],
)

_LETTER = object_of(
    {
        "id": {**_ID, "description": "the task's"},
        "type": _NAME,
        "queue": {"type": "string"},
        "outcome": {"enum": ["failed", "timed_out", "crashed"]},
        "error": {"description": "the last one, as {type, message, traceback, frame}"},
        "fingerprint": {**FINGERPRINT, "description": "the same for failures of one kind"},
        "payload": _ANYTHING,
        "priority": {"type": "integer"},
        "attempt": {**_COUNT, "description": "starts"},
        "max_attempts": _COUNT,
        "crash_count": {**_COUNT, "description": "how often a worker died over it"},
        "timeout_s": {"type": ["number", "null"]},
        "retry": {"description": "the task's own retry policy; null: none"},
        "created_at": time("when it was enqueued"),
        "failed_at": time("when it failed for good"),
    },
    "A task that failed for good. It outlives its day.",
)

_OPERATION = object_of(
    {
        "id": _ID,
        "kind": {"enum": list(KINDS)},
        "state": {"enum": list(STATES)},
        "filter": {"type": "object"},
        "per_second": {"type": "number"},
        "matched": {**_COUNT, "description": "how many it was for when it was started"},
        "matched_exact": {"type": "boolean", "description": "false: matched is an estimate"},
        "done": _COUNT,
        "skipped": {**_COUNT, "description": "someone else was at them, or they had ended"},
        "requested_by": {"type": "string"},
        "reason": {"type": ["string", "null"]},
        "error": {"type": ["string", "null"], "description": "of the part that failed last"},
        "created_at": time("when it was asked for"),
        "started_at": nullable(time("")),
        "finished_at": nullable(time("")),
    },
    "An operation over many tasks, as it stands. It is kept.",
)

COMPONENTS: dict[str, Any] = {
    "DeadLetter": _LETTER,
    "DeadLetterPage": object_of(
        {"items": {"type": "array", "items": ref("DeadLetter")}, "next": _NEXT},
        "A page of dead letters, latest first. It may hold fewer than asked for, or none, and "
        "still have a next one: a page looks at some 20,000 at most and holds 4 MiB at most.",
    ),
    "DeadLetterGroups": object_of(
        {
            "items": {
                "type": "array",
                "items": object_of(
                    {
                        "fingerprint": FINGERPRINT,
                        "type": _NAME,
                        "count": _COUNT,
                        "first_failed_at": time(""),
                        "last_failed_at": time(""),
                        "error": {"description": "the example's, as {type, message, frame}"},
                        "example_id": {**_ID, "description": "the latest"},
                    },
                    "failures of one kind",
                ),
            },
            "searched_until": nullable(
                time("only those that failed since then were counted; null: all")
            ),
        },
        "Dead letters by fingerprint, the largest group first.",
    ),
    "Redriven": object_of(
        {
            "id": {**_ID, "description": "the dead letter's"},
            "redriven_as": {
                **_ID,
                "description": "the task that runs now: the same, or a new one if its day is gone",
            },
            "task": ref("Task"),
        },
        "What runs again.",
    ),
    "DeadLetterPolicy": POLICY,
    "DeadLetterPolicies": items(
        object_of(
            {
                "queue": {"type": "string", "description": "`*`: all that have no row, or null"},
                "retention_s": {"type": ["number", "null"]},
                "growth_limit": {"type": ["integer", "null"]},
                "alert_type": {"type": ["string", "null"]},
            },
            "what holds for a queue",
        ),
        "How long dead letters are kept, and how many an hour are too many.",
    ),
    "NewOperation": NEW_OPERATION,
    "Operation": _OPERATION,
    "OperationPage": object_of(
        {"items": {"type": "array", "items": ref("Operation")}, "next": _NEXT},
        "A page of operations, latest first.",
    ),
    "OperationPreview": object_of(
        {
            "dry_run": {"const": True},
            "kind": {"enum": list(KINDS)},
            "matched": _COUNT,
            "matched_exact": {"type": "boolean", "description": "false: matched is an estimate"},
            "sample": {
                "type": "array",
                "maxItems": 10,
                "items": object_of(
                    {
                        "id": _ID,
                        "type": _NAME,
                        "queue": {"type": "string"},
                        "status": {"type": "string"},
                    },
                    "a task that it would be for",
                ),
            },
        },
        "What an operation would do.",
    ),
    "NoticePage": object_of(
        {
            "items": {
                "type": "array",
                "items": object_of(
                    {
                        "id": {"type": "integer"},
                        "at": time(""),
                        "kind": {"type": "string"},
                        "queue": {"type": ["string", "null"]},
                        "message": {"type": "string"},
                        "data": {"type": "object"},
                    },
                    "a notice",
                ),
            },
            "next": _NEXT,
        },
        "What people should know of, latest first.",
    ),
}
