"""Paths of queues and tasks in the OpenAPI document: whether tasks start, how many, why not."""

from __future__ import annotations

from typing import Any

from pgqueue_api.openapi.parts import ID, content, operation

__all__ = ["PATHS"]

PATHS: dict[str, dict[str, Any]] = {
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
