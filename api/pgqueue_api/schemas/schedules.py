"""JSON Schemas of schedules and of what became of their due times."""

from __future__ import annotations

from typing import Any

from pgqueue.models.task import TaskInput
from pgqueue_api.openapi.models import schema_of
from pgqueue_api.schemas.parts import Schema, items, nullable, object_of, ref, time
from pgqueue_api.schemas.queues import RETRY

__all__ = ["BACKFILL", "COMPONENTS", "FATES", "NEW_SCHEDULE", "PREVIEW", "SCHEDULE_CHANGE"]

NEW_TASK = schema_of(TaskInput)
NEW_TASK["properties"]["retry"] = RETRY
FATES = ("enqueued", "waiting", "skipped", "missed")
_STATES = ("active", "paused", "new", "invalid", "ended")
_KINDS = ("due", "backfill", "trigger")
_TASK_WORDS = (
    *("payload", "queue", "priority", "max_attempts", "timeout_s", "retry", "expires_in_s"),
    *("limit_key", "cost", "fairness_key"),
)

NAME: Schema = {
    "type": "string",
    "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,99}$",
    "not": {"const": "preview"},
    "description": "its name, which may stand for its id in paths",
}
_ID: Schema = {"type": "string", "format": "uuid"}
_TIMES: Schema = {
    "cron": {
        "type": ["string", "null"],
        "maxLength": 100,
        "description": "minute, hour, day of month, month, day of week: `30 9 * * 1-5`; or run_at",
    },
    "run_at": nullable(time("once, at this time; instead of cron")),
    "timezone": {
        "type": ["string", "null"],
        "maxLength": 100,
        "description": "IANA name of the zone that cron is read in; UTC if not given",
    },
    "starts_at": nullable(time("nothing is due before")),
    "ends_at": nullable(time("nothing is due after")),
}
_SETTINGS: Schema = {
    **_TIMES,
    "type": {**NEW_TASK["properties"]["type"], "description": "which handler runs its tasks"},
    **{name: NEW_TASK["properties"][name] for name in _TASK_WORDS},
    "jitter_s": {
        "type": ["number", "null"],
        "minimum": 0,
        "maximum": 86_400,
        "description": "each time comes up to so many seconds late, always the same for one time",
    },
    "enabled": {"type": ["boolean", "null"], "description": "false: paused"},
    "missed": {
        "enum": ["skip", "latest", "all", None],
        "description": "what becomes of times at which no scheduler ran; latest if not given",
    },
    "missed_max": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 1000,
        "description": "with all: the latest so many; 100 if not given",
    },
    "overlap": {
        "enum": ["allow", "skip", "cancel_previous", "queue_one", None],
        "description": "when a task of it has not ended by the next time; allow if not given",
    },
}
_EXAMPLE = {
    "cron": "30 9 * * 1-5",
    "timezone": "Europe/Berlin",
    "type": "sleep",
    "payload": {"delay_ms": 100},
    "overlap": "skip",
}

NEW_SCHEDULE = object_of(
    {"name": NAME, **_SETTINGS},
    "A schedule: when, by cron or run_at, and what.",
    *(name for name in _SETTINGS if name != "type"),
    additionalProperties=False,
    examples=[{"name": "workdays", **_EXAMPLE}],
)
SCHEDULE_SETTINGS = object_of(
    _SETTINGS,
    "All that a schedule says. What is left out is as if it never was given.",
    *(name for name in _SETTINGS if name != "type"),
    additionalProperties=False,
    examples=[_EXAMPLE],
)
SCHEDULE_CHANGE = object_of(
    _SETTINGS,
    "What to change of a schedule; null takes a setting away.",
    *_SETTINGS,
    additionalProperties=False,
    examples=[{"cron": "0 10 * * *"}, {"enabled": False}],
)
PREVIEW = object_of(
    {"name": NAME, **_SETTINGS},
    "A schedule, or only what says when.",
    *("name", *_SETTINGS),
    additionalProperties=False,
    examples=[{"cron": "30 2 * * *", "timezone": "Europe/Berlin"}],
)
BACKFILL = object_of(
    {"from": time("the first time that counts"), "to": time("the end, which does not count")},
    "A range of the past, at most 366 days long.",
    additionalProperties=False,
    examples=[{"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}],
)

_SCHEDULE = object_of(
    {
        "id": _ID,
        "name": {"type": "string"},
        "state": {
            "enum": list(_STATES),
            "description": "new: no scheduler has read its cron yet; invalid: see error; ended: "
            "nothing more is to come",
        },
        **{
            name: schema
            for name, schema in _SETTINGS.items()
            if name not in ("timezone", "jitter_s", "enabled", "missed", "missed_max", "overlap")
        },
        "timezone": {"type": "string"},
        "payload": {"description": "any JSON"},
        "queue": {"type": ["string", "null"]},
        "enabled": {"type": "boolean"},
        "jitter_s": {"type": "number"},
        "missed": {"enum": ["skip", "latest", "all"]},
        "missed_max": {"type": "integer"},
        "overlap": {"enum": ["allow", "skip", "cancel_previous", "queue_one"]},
        "next_due_at": nullable(time("when it is due next")),
        "last_due_at": nullable(time("the latest time that was dealt with")),
        "last_task_id": nullable(_ID),
        "run_count": {"type": "integer", "description": "tasks that it has enqueued"},
        "error": {"type": ["string", "null"], "description": "why nothing can be enqueued"},
        "backfill_from": nullable(time("where a backfill is")),
        "backfill_to": nullable(time("where a backfill ends; null: none runs")),
        "declared_by": {
            "type": ["string", "null"],
            "description": "the app whose code declares it: change it there",
        },
        "undeclared_at": nullable(time("since when that does not declare it any more")),
        "version": {"type": "integer", "description": "of its settings; the ETag names it"},
        "created_at": time("when it was made"),
    },
    "A schedule as it stands.",
)
_SLOT = object_of(
    {
        "due_at": time("when it was due"),
        "kind": {"enum": list(_KINDS)},
        "fate": {"enum": list(FATES)},
        "reason": {"type": ["string", "null"], "description": "why it was not enqueued"},
        "task_id": nullable(_ID),
        "at": time("when its fate was decided"),
    },
    "What became of a time at which a schedule was due.",
)
_NEXT: Schema = {"type": ["string", "null"], "description": "the cursor of the next page"}


def _page(of: str, description: str) -> Schema:
    page = items(ref(of), description)
    page["properties"]["next"] = _NEXT
    page["required"] = [*page["required"], "next"]
    return page


COMPONENTS: dict[str, Any] = {
    "NewSchedule": NEW_SCHEDULE,
    "ScheduleSettings": SCHEDULE_SETTINGS,
    "ScheduleChange": SCHEDULE_CHANGE,
    "SchedulePreview": PREVIEW,
    "Backfill": BACKFILL,
    "Schedule": _SCHEDULE,
    "SchedulePage": _page("Schedule", "Schedules by name."),
    "ScheduleSlot": _SLOT,
    "ScheduleSlotPage": _page("ScheduleSlot", "Due times, latest first. They are kept for a week."),
    "DueTimes": object_of(
        {
            "due_times": {
                "type": "array",
                "maxItems": 5,
                "items": object_of(
                    {
                        "due_at": time("in UTC"),
                        "local": time("as the clocks of its zone show it"),
                    },
                    "A time at which it is due.",
                ),
            }
        },
        "The next five times at which such a schedule is due.",
    ),
}
