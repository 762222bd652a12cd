"""The body of PATCH /v1/tasks/{id}: what is to change of a task that waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema_rs

from pgqueue.models.task import PRIORITIES
from pgqueue_api.http import bodies
from pgqueue_api.problems import Invalid
from pgqueue_api.schemas.tasks import TASK_CHANGE
from pgqueue_api.submit.submission import parse_time
from pgqueue_api.submit.types import explain

if TYPE_CHECKING:
    from litestar import Request

    from pgqueue_api.services import Services

__all__ = ["read_change"]

_CHANGE = jsonschema_rs.validator_for(TASK_CHANGE, offline=True)
_MOST_BYTES = 10_000


async def read_change(request: Request[Any, Any, Any], services: Services) -> dict[str, Any]:
    """Give the change that a request asks for, or raise what is wrong with it."""
    headers = dict(request.scope["headers"])
    bodies.require_json(headers)
    content = await bodies.read(request.receive, headers, _MOST_BYTES, services.bounds.body_s)
    given = bodies.parse(content, 2)
    if not _CHANGE.is_valid(given):
        raise Invalid(
            "this is no change to a task", errors=explain(_CHANGE, given), hint="see /docs"
        )
    priority, run_at = given.get("priority"), given.get("run_at")
    if run_at is not None and given.get("delay_s") is not None:
        message = "run_at is given too: give one of them"
        raise Invalid(
            "this is no change to a task", errors=[{"pointer": "/delay_s", "message": message}]
        )
    if isinstance(priority, str):
        priority = PRIORITIES[priority]
    return {
        "priority": None if priority is None else int(priority),
        "run_at": None if run_at is None else parse_time(run_at, "/run_at"),
        "delay_s": given.get("delay_s"),
    }
