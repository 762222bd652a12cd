"""What each operation needs: read this to know who may do what.

Reading needs ``tasks:read``. Changing needs what the table says for the tag of the operation,
unless its declaration names a scope, or says that it is public or for all who are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from pgqueue_api.openapi.operation import PUBLIC, declaration_of

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from pgqueue.models.access import Scope

__all__ = ["KNOWN", "Need", "need_of"]

KNOWN: Literal["known"] = "known"
Need: TypeAlias = "Scope | Literal['known']"

_CHANGES: dict[str, Scope] = {
    "tasks": "tasks:write",
    "batches": "tasks:write",
    "artifacts": "tasks:write",
    "dead letters": "tasks:write",
    "operations": "tasks:write",
    "queues": "queues:write",
    "limits": "queues:write",
    "schedules": "schedules:write",
    "webhooks": "admin",
}


def need_of(handler: HTTPRouteHandler) -> Need | None:
    """Return the scope that a route needs; None: it is public.

    Raises ``LookupError`` for a route of which nothing says what it needs.
    """
    declared = declaration_of(handler)
    if declared is None:
        if handler.opt.get(PUBLIC):
            return None
        raise LookupError(f"nothing says who may use {handler.paths}")
    if declared.public:
        return None
    if declared.known:
        return KNOWN
    if declared.scope is not None:
        return declared.scope
    if handler.http_methods <= {"GET", "HEAD"}:
        return "tasks:read"
    return _CHANGES[(handler.tags or [""])[0]]
