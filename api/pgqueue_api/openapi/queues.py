"""Paths of queues and tasks in the OpenAPI document: whether tasks start, how many, why not."""

from __future__ import annotations

from typing import Any

from pgqueue_api.openapi.parts import (
    ID,
    IF_MATCH,
    NAME,
    NAME_OF_QUEUE,
    PREFER,
    content,
    filter_by,
    operation,
)

__all__ = ["PATHS"]

_VERSION = "the version of its settings"
_DRAIN_WAIT = {
    **PREFER,
    "description": "`wait=N`: answer when none of its tasks runs, or after N ≤ 60 seconds as it is",
}

PATHS: dict[str, dict[str, Any]] = {
    "/v1/queues": {
        "get": operation(
            "overview",
            "list_queues",
            "List queues",
            "With their settings and their depth, sampled every few seconds.",
            {200: content("Queues", "The queues.")},
            503,
        )
    },
    "/v1/queues/{name}": {
        "get": operation(
            "overview",
            "get_queue",
            "Read a queue",
            "With its settings and its depth, sampled every few seconds.",
            {200: content("Queue", "The queue.", ETag=_VERSION)},
            *(404, 422, 503),
            parameters=[NAME],
        ),
        "put": operation(
            "overview",
            "put_queue",
            "Make a queue, or replace its settings",
            "What is left out is set no longer. One that is there needs If-Match.",
            {
                200: content("Queue", "The queue afterwards.", ETag=_VERSION),
                201: content("Queue", "Made.", ETag=_VERSION, Location="the queue's path"),
            },
            *(412, 413, 415, 422, 428, 503),
            parameters=[NAME_OF_QUEUE, IF_MATCH],
            takes="QueueSettings",
        ),
        "patch": operation(
            "overview",
            "patch_queue",
            "Change settings of a queue",
            "What is left out stays; null takes a setting away.",
            {200: content("Queue", "The queue afterwards.", ETag=_VERSION)},
            *(404, 412, 413, 415, 422, 428, 503),
            parameters=[NAME, IF_MATCH],
            takes="QueueSettings",
        ),
    },
    "/v1/queues/{name}/pause": {
        "post": operation(
            "overview",
            "pause_queue",
            "Pause a queue",
            "None of its tasks starts, a second from now at the latest, until it is resumed; those "
            "that run go on. Who asked, when and why is shown with the queue and its tasks. One "
            "that is not there yet is made.",
            {200: content("Queue", "The queue afterwards.", ETag=_VERSION)},
            *(413, 415, 422, 503),
            parameters=[NAME],
            takes="Reason",
        )
    },
    "/v1/queues/{name}/drain": {
        "post": operation(
            "overview",
            "drain_queue",
            "Bring a queue to rest",
            "Pauses it; its `state` is `draining` while some of its tasks still run "
            "(`still_running`), then `paused`. What waits in it stays there.",
            {
                200: content(
                    "Queue",
                    "The queue afterwards.",
                    ETag=_VERSION,
                    Preference_Applied="what of `Prefer` was heard",
                )
            },
            *(413, 415, 422, 503),
            parameters=[NAME, _DRAIN_WAIT],
            takes="Reason",
        )
    },
    "/v1/queues/{name}/resume": {
        "post": operation(
            "overview",
            "resume_queue",
            "Resume a queue",
            "Its tasks start again, at once.",
            {200: content("Queue", "The queue afterwards.", ETag=_VERSION)},
            *(404, 422, 503),
            parameters=[NAME],
        )
    },
    "/v1/queues/{name}/scale": {
        "get": operation(
            "overview",
            "get_scale",
            "Read how many workers a queue wants",
            "`wanted` is what an autoscaler reads, such as KEDA's metrics-api scaler. It costs the "
            "same at any backlog.",
            {200: content("Scale", "The number, and what it is made of.")},
            *(404, 422, 503),
            parameters=[
                NAME,
                filter_by(
                    "patience_s",
                    {"type": "number", "minimum": 0, "maximum": 86_400, "default": 1},
                    "how long tasks may wait, in seconds, before more places are wanted",
                ),
            ],
        )
    },
    "/v1/tasks/{id}/explain": {
        "get": operation(
            "tasks",
            "explain_task",
            "Say why a task waits",
            "What keeps it from starting (who paused its queue, the limit and its holders, the "
            "tasks that it waits for, the workers that are missing, …), and when it may start at "
            "the earliest. An active or ended one says so. It costs the same at any backlog.",
            {200: content("Explanation", "The reasons.")},
            *(404, 410, 503),
            parameters=[ID],
        )
    },
}
