"""The paths of batches and of graphs in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pgqueue_api.openapi.parts import (
    CURSOR,
    ID,
    TASK_FILTERS,
    content,
    filter_by,
    limit,
    operation,
)
from pgqueue_api.schemas.groups import BATCH_STATUSES
from pgqueue_api.schemas.streams import stream

__all__ = ["PATHS"]

_BATCH_ID = {**ID, "description": "the batch's id"}
_OPERATION = "the operation's path"

PATHS: dict[str, dict[str, Any]] = {
    "/v1/batches": {
        "post": operation(
            "batches",
            "create_batch",
            "Make a batch",
            "With `tasks` it holds these, and is closed unless `open`; without, it is open: add to "
            "it, then close it. All or none of it is stored.",
            {201: content("Batch", "It is stored.", Location="the batch's path")},
            *(404, 409, 413, 415, 422, 503),
            takes="NewBatch",
        ),
        "get": operation(
            "batches",
            "list_batches",
            "List batches, latest first",
            "Those that ended are kept for 30 days.",
            {200: content("BatchPage", "A page.")},
            *(422, 503),
            parameters=[
                filter_by("status", {"enum": list(BATCH_STATUSES)}, "only in this status"),
                filter_by(
                    "parent_id", {"type": "string", "format": "uuid"}, "only those in this batch"
                ),
                CURSOR,
                limit(50),
            ],
        ),
    },
    "/v1/batches/{id}": {
        "get": operation(
            "batches",
            "get_batch",
            "Read a batch",
            "Its counts are those of this moment.",
            {200: content("Batch", "The batch.")},
            *(404, 503),
            parameters=[_BATCH_ID],
        )
    },
    "/v1/batches/{id}/tasks": {
        "get": operation(
            "batches",
            "list_batch_tasks",
            "List the tasks of a batch",
            "In the order made. With a filter a page may be short, and `next` still go on.",
            {200: content("BatchTasks", "A page.")},
            *(404, 422, 503),
            parameters=[_BATCH_ID, TASK_FILTERS[2], CURSOR, limit(50)],
        ),
        "post": operation(
            "batches",
            "add_to_batch",
            "Add tasks to an open batch",
            "All or none are stored. 409 when it is closed.",
            {201: content("BatchTaskIds", "They are stored.")},
            *(404, 409, 413, 415, 422, 503),
            parameters=[_BATCH_ID],
            takes="NewBatchTasks",
        ),
    },
    "/v1/batches/{id}/close": {
        "post": operation(
            "batches",
            "close_batch",
            "Close a batch",
            "Nothing more is added: it ends when all in it has. Closing it again changes nothing.",
            {200: content("Batch", "The batch afterwards.")},
            *(404, 503),
            parameters=[_BATCH_ID],
        )
    },
    "/v1/batches/{id}/cancel": {
        "post": operation(
            "batches",
            "cancel_batch",
            "Cancel all of a batch",
            "And of the batches in it. It is closed, and an operation cancels what has not ended.",
            {201: content("Operation", "It will be done.", Location=_OPERATION)},
            *(404, 409, 413, 415, 422, 503),
            parameters=[_BATCH_ID],
            takes="GivenReason",
        )
    },
    "/v1/batches/{id}/retry": {
        "post": operation(
            "batches",
            "retry_batch",
            "Run what failed in a batch again",
            "And in the batches in it. A batch that had ended goes on, and ends again.",
            {201: content("Operation", "It will be done.", Location=_OPERATION)},
            *(404, 409, 503),
            parameters=[_BATCH_ID],
        )
    },
    "/v1/batches/{id}/events": {
        "get": operation(
            "events",
            "watch_batch",
            "Watch a batch",
            "Frames: `snapshot` first, then `progress`, five a second at most, at the end `end`. "
            "Each carries the whole batch as JSON. A comment comes every 15 s.",
            {200: stream(("snapshot", "progress", "end"), "Batch")},
            *(404, 503),
            parameters=[_BATCH_ID],
        )
    },
    "/v1/tasks/{id}/graph": {
        "get": operation(
            "tasks",
            "get_task_graph",
            "Read who waits for whom",
            "The tasks that it waits for and that wait for it, near and far, with their statuses.",
            {200: content("Graph", "The graph.")},
            *(404, 410, 503),
            parameters=[ID],
        )
    },
}
