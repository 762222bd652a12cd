"""The tasks that a batch enqueues when it ends, checked as other tasks are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from pgqueue_api.problems import Invalid
from pgqueue_api.submit.submission import check, check_shape

if TYPE_CHECKING:
    from pgqueue_api.submit.services import Services

__all__ = ["callback_of"]

_NOT_FOR_THESE = ("depends_on", "batch_id", "dedup_key")


async def callback_of(services: Services, raw: Any, place: str) -> str | None:
    """Return the task as PostgreSQL takes it, or raise what is wrong with it.

    Without a payload it gets that of the batch, which only its handler can check.
    """
    if raw is None:
        return None
    check_shape(raw, place)
    for name in _NOT_FOR_THESE:
        if raw.get(name) is not None:
            wrong = {"pointer": f"{place}/{name}", "message": "a callback cannot have this"}
            raise Invalid("this is not a valid task", errors=[wrong])
    kind = services.registry.known(raw["type"]) or await services.registry.find(raw["type"])
    given = "payload" in raw
    registry = services.registry
    submission = check(
        raw,
        kind if given else replace(kind, shape=None),
        registry.budgets,
        None,
        services.bounds.payload,
        prefix=place,
    )
    element = orjson.loads(submission.element)
    if not given:
        del element["payload"]
    return orjson.dumps(element).decode()
