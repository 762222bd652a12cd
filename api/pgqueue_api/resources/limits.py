"""/v1/limits: how many tasks with a limit_key run and start together."""

from __future__ import annotations

import re
from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import JSONBody

from pgqueue.models.queues.limit import LIMIT_NAME, KeyLimit, KeyLimits, LimitSettings
from pgqueue_api.http.answers import Json, page
from pgqueue_api.http.editable import Editable
from pgqueue_api.http.parameters import (
    Cursor,
    IfMatch,
    PageSize,
    decode_name,
    encode_name,
    name_in_path,
    plain,
    wrong,
)
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

LimitName = Annotated[str, name_in_path("A `limit_key`.", "acme", max_length=255)]

_ETAG = {"ETag": "The version of its settings."}
_LIMITS = Editable("limit", "/v1/limits", "get_limit", "patch_limit", "delete_limit")


@operation("GET /v1/limits", Answer(200, "A page of limits."), tag="limits")
async def list_limits(
    services: NamedDependency[Services], cursor: Cursor = None, limit: PageSize = 50
) -> Json[KeyLimits]:
    """List limits.

    Named limits, each for all tasks with that `limit_key`, sorted by name. The limits of a queue
    are among its settings.
    """
    rows = await services.reads.rows(
        "list_limits", {"after": decode_name(cursor), "max_rows": limit + 1}
    )
    return page(rows, limit, lambda row: encode_name(row["name"]))


@operation(
    "GET /v1/limits/{name:str}",
    Answer(200, "The limit.", _ETAG),
    tag="limits",
    problems=(404, 422),
)
async def get_limit(name: LimitName, services: NamedDependency[Services]) -> Json[KeyLimit]:
    """Read a limit.

    The limit of all tasks with this `limit_key`, whatever their queue.
    """
    return await _LIMITS.get(services, plain(name, "name"))


@operation(
    "PUT /v1/limits/{name:str}",
    Answer(200, "The limit afterwards.", _ETAG),
    Answer(201, "Created.", {**_ETAG, "Location": "The path of the limit."}, KeyLimit),
    tag="limits",
)
async def put_limit(
    name: LimitName,
    data: JSONBody[LimitSettings],
    services: NamedDependency[Services],
    if_match: IfMatch = None,
) -> Json[KeyLimit]:
    """Create or replace a limit.

    What you leave out is not limited. Every worker keeps to it within a second; tasks that are
    running go on.
    """
    # one that SQL or Python has made may have any name
    new = await services.writes.row("get_limit", {"name": plain(name, "name")}) is None
    if new and not re.fullmatch(LIMIT_NAME, name):
        raise wrong("name", f"the name of a new limit must match {LIMIT_NAME}")
    return await _LIMITS.put(services, name, data, if_match)


@operation(
    "PATCH /v1/limits/{name:str}",
    Answer(200, "The limit afterwards.", _ETAG),
    tag="limits",
    problems=(404,),
)
async def patch_limit(
    name: LimitName,
    data: JSONBody[LimitSettings],
    services: NamedDependency[Services],
    if_match: IfMatch = None,
) -> Json[KeyLimit]:
    """Change a limit.

    What you leave out stays; null removes a part.
    """
    return await _LIMITS.patch(services, plain(name, "name"), data, if_match)


@operation("DELETE /v1/limits/{name:str}", Answer(204, "Deleted."), tag="limits", problems=(404,))
async def delete_limit(
    name: LimitName, services: NamedDependency[Services], if_match: IfMatch = None
) -> None:
    """Delete a limit.

    The limits of its queues apply to the key again.
    """
    await _LIMITS.delete(services, plain(name, "name"), if_match)


ROUTES = [list_limits, get_limit, put_limit, patch_limit, delete_limit]
