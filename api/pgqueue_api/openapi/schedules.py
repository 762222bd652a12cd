"""The paths of schedules in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pgqueue_api.openapi.parts import (
    CURSOR,
    IF_MATCH,
    TEXT,
    content,
    filter_by,
    limit,
    operation,
    parameter,
)
from pgqueue_api.schemas.schedules import FATES, NAME

__all__ = ["PATHS"]

_VERSION = "the version of its settings"
_WHICH = parameter(
    "path",
    "schedule",
    {"type": "string", "minLength": 1, "maxLength": 100},
    "its name or id",
    required=True,
    example="workdays",
)
_NEW_NAME = {**_WHICH, "schema": NAME}
_AFTERWARDS = "The schedule afterwards."

PATHS: dict[str, dict[str, Any]] = {
    "/v1/schedules": {
        "post": operation(
            "schedules",
            "create_schedule",
            "Make a schedule",
            "By cron or for one time. The type and its schema are checked as for a task.",
            {201: content("Schedule", "Made.", ETag=_VERSION, Location="the schedule's path")},
            *(409, 413, 415, 422, 503),
            takes="NewSchedule",
        ),
        "get": operation(
            "schedules",
            "list_schedules",
            "List schedules by name",
            "With their settings and when they are due next.",
            {200: content("SchedulePage", "A page.")},
            *(422, 503),
            parameters=[
                filter_by("type", TEXT, "only of this type"),
                filter_by("queue", TEXT, "only those that name this queue"),
                CURSOR,
                limit(50),
            ],
        ),
    },
    "/v1/schedules/preview": {
        "post": operation(
            "schedules",
            "preview_schedule",
            "See when a schedule would be due",
            "Its next five times, before it is made. Nothing is stored.",
            {200: content("DueTimes", "The times.")},
            *(413, 415, 422, 503),
            takes="SchedulePreview",
        )
    },
    "/v1/schedules/{schedule}": {
        "get": operation(
            "schedules",
            "get_schedule",
            "Read a schedule",
            "By its name or id.",
            {200: content("Schedule", "The schedule.", ETag=_VERSION)},
            *(404, 405, 422, 503),
            parameters=[_WHICH],
        ),
        "put": operation(
            "schedules",
            "put_schedule",
            "Make a schedule, or replace all it says",
            "One that is there needs If-Match.",
            {
                200: content("Schedule", _AFTERWARDS, ETag=_VERSION),
                201: content("Schedule", "Made.", ETag=_VERSION, Location="the schedule's path"),
            },
            *(405, 409, 412, 413, 415, 422, 428, 503),
            parameters=[_NEW_NAME, IF_MATCH],
            takes="ScheduleSettings",
        ),
        "patch": operation(
            "schedules",
            "patch_schedule",
            "Change a schedule",
            "What is left out stays. One that code declares can only be paused and resumed: 409.",
            {200: content("Schedule", _AFTERWARDS, ETag=_VERSION)},
            *(404, 405, 409, 412, 413, 415, 422, 428, 503),
            parameters=[_WHICH, IF_MATCH],
            takes="ScheduleChange",
        ),
        "delete": operation(
            "schedules",
            "delete_schedule",
            "Delete a schedule",
            "With what is known of its times; its tasks stay. With If-Match only as it was read.",
            {204: {"description": "Gone."}},
            *(404, 405, 409, 412, 422, 503),
            parameters=[_WHICH, IF_MATCH],
        ),
    },
    "/v1/schedules/{schedule}/pause": {
        "post": operation(
            "schedules",
            "pause_schedule",
            "Pause a schedule",
            "It enqueues nothing until it is resumed. Times that pass are not made up for.",
            {200: content("Schedule", _AFTERWARDS, ETag=_VERSION)},
            *(404, 422, 503),
            parameters=[_WHICH],
        )
    },
    "/v1/schedules/{schedule}/resume": {
        "post": operation(
            "schedules",
            "resume_schedule",
            "Resume a schedule",
            "It goes on with the next time from now.",
            {200: content("Schedule", _AFTERWARDS, ETag=_VERSION)},
            *(404, 422, 503),
            parameters=[_WHICH],
        )
    },
    "/v1/schedules/{schedule}/trigger": {
        "post": operation(
            "schedules",
            "trigger_schedule",
            "Enqueue its task now",
            "Whether it is paused, and whatever it says of overlaps.",
            {201: content("Task", "The task.", Location="the task's path")},
            *(404, 422, 503),
            parameters=[_WHICH],
        )
    },
    "/v1/schedules/{schedule}/backfill": {
        "post": operation(
            "schedules",
            "backfill_schedule",
            "Make up for a range of the past",
            "Schedulers enqueue a task for each time in it that has none, oldest first.",
            {202: content("Schedule", "It will be done.", ETag=_VERSION)},
            *(404, 409, 413, 415, 422, 503),
            parameters=[_WHICH],
            takes="Backfill",
        )
    },
    "/v1/schedules/{schedule}/slots": {
        "get": operation(
            "schedules",
            "list_schedule_slots",
            "List what became of its times",
            "Latest first: enqueued as which task, waiting, skipped or missed, and why.",
            {200: content("ScheduleSlotPage", "A page.")},
            *(404, 422, 503),
            parameters=[
                _WHICH,
                filter_by("fate", {"enum": list(FATES)}, "only of this fate"),
                CURSOR,
                limit(50),
            ],
        )
    },
}
