"""JSON Schemas of why a task waits, and of how many workers a queue wants."""

from __future__ import annotations

from pgqueue_api.schemas.parts import STATUSES, Schema, nullable, object_of, time

__all__ = ["COMPONENTS"]

_COUNT: Schema = {"type": "integer", "minimum": 0}

_CODES = {
    "dependency": "it waits for other tasks",
    "scheduled": "for its time",
    "backoff": "for its next attempt",
    "snoozed": "its handler put it off",
    "released": "it was put back for a time",
    "due": "its time has come: a supervisor makes it runnable",
    "paused": "its queue is paused",
    "no_worker": "no live worker serves its queue",
    "no_handler": "no live worker handles its type",
    "workers_busy": "all places of the workers are taken",
    "queue_concurrency": "the places of its queue are taken",
    "queue_rate": "the starts of its queue are used up",
    "queue_slowed": "a handler slowed its queue",
    "key_concurrency": "the places of its limit_key are taken",
    "key_rate": "the starts of its limit_key are used up",
    "key_slowed": "a handler slowed its limit_key",
    "runs_alone": "it took down its process twice, and runs alone",
    "behind": "others of its queue come before it",
    "expired": "its time to start is over",
    "expires_first": "its time to start will be over before it can",
    "ready": "nothing holds it",
    "active": "it runs",
    "completed": "it has ended",
    "failed": "it has ended",
    "cancelled": "it has ended",
}
_EARLIEST = nullable(time(""), "not before then; null: not a matter of time")

COMPONENTS: dict[str, Schema] = {
    "Explanation": object_of(
        {
            "id": {"type": "string", "format": "uuid"},
            "status": {"enum": list(STATUSES)},
            "at": time("when"),
            "why": {"type": "string", "description": "the first reason, in a sentence"},
            "earliest_start_at": _EARLIEST,
            "reasons": {
                "type": "array",
                "minItems": 1,
                "description": "what keeps it from starting, what holds longest first",
                "items": object_of(
                    {
                        "code": {
                            "enum": list(_CODES),
                            "description": "; ".join(f"{k}: {v}" for k, v in _CODES.items()),
                        },
                        "message": {"type": "string"},
                        "earliest_start_at": _EARLIEST,
                        "details": {"type": "object", "description": "as the code needs"},
                    },
                    "A reason.",
                ),
            },
        },
        "Why a task is where it is.",
    ),
}
