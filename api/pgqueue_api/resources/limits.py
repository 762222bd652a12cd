"""/v1/limits: what the tasks with a limit_key may do together."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any

import jsonschema_rs
import orjson
from litestar import Request, Response, delete, get, patch, put
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from pgqueue.errors import NotFound
from pgqueue_api.http import bodies
from pgqueue_api.http.answers import json_answer
from pgqueue_api.http.parameters import plain, wrong
from pgqueue_api.http.preconditions import etag, if_match, needed, stale
from pgqueue_api.problems import Invalid
from pgqueue_api.schemas.limits import LIMIT_NAME, LIMIT_SETTINGS
from pgqueue_api.services import Services
from pgqueue_api.submit.submission import parse_time
from pgqueue_api.submit.types import explain

__all__ = ["ROUTES"]

AnyRequest = Request[Any, Any, Any]
Json = Response[bytes]

_SETTINGS = jsonschema_rs.validator_for(LIMIT_SETTINGS, offline=True)
_NAME = re.compile(LIMIT_NAME)
_NOT_SET = dict.fromkeys(LIMIT_SETTINGS["properties"])
_MOST_BYTES = 10_000
_NOT_THERE = 0


@get("/v1/limits")
async def list_limits(
    services: NamedDependency[Services],
    cursor: Annotated[str | None, QueryParameter(name="cursor", max_length=400)] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=200)] = 50,
) -> Json:
    """Give limits by name."""
    rows = await services.reads.rows("list_limits", {"after": _decode(cursor), "most": limit + 1})
    page = rows[:limit]
    after = _encode(page[-1]["name"]) if len(rows) > limit else None
    parts = b",".join(row["item"].encode() for row in page)
    return json_answer(b'{"items":[%s],"next":%s}' % (parts, orjson.dumps(after)))


@get("/v1/limits/{name:str}")
async def get_limit(name: FromPath[str], services: NamedDependency[Services]) -> Json:
    """Give one limit; the ETag names its version."""
    row = await services.reads.row("get_limit", {"name": plain(name, "name")})
    if row is None:
        raise _none(name)
    return _answer_with(row)


@put("/v1/limits/{name:str}")
async def put_limit(
    name: FromPath[str], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Replace a limit, or make it."""
    if not _NAME.fullmatch(name):
        raise wrong("name", f"the name of a new limit fits {LIMIT_NAME}")
    settings = {**_NOT_SET, **await _given(request, services)}
    versions = if_match(request)
    if versions == "*" and await _read(services, name) is None:
        raise stale(f"the limit {name!r}")
    if versions is None:
        if not await _patch(services, name, settings, [_NOT_THERE]):
            raise needed(f"the limit {name!r}")
        answer = await _changed(services, name)
        answer.status_code = 201
        answer.headers["Location"] = f"/v1/limits/{name}"
        return answer
    if not await _patch(services, name, settings, versions):
        raise stale(f"the limit {name!r}")
    return await _changed(services, name)


@patch("/v1/limits/{name:str}")
async def patch_limit(
    name: FromPath[str], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Change what is given of a limit; null takes a part away."""
    settings = await _given(request, services)
    versions = await _versions(request, services, name)
    if not await _patch(services, name, settings, versions):
        raise stale(f"the limit {name!r}")
    return await _changed(services, name)


@delete("/v1/limits/{name:str}", status_code=204)
async def delete_limit(
    name: FromPath[str], request: AnyRequest, services: NamedDependency[Services]
) -> None:
    """Delete a limit."""
    versions = await _versions(request, services, name)
    row = await services.writes.row(
        "delete_limit", {"name": name, "versions": None if versions == "*" else versions}
    )
    if row is None or not row["deleted"]:
        raise stale(f"the limit {name!r}")


ROUTES: list[Any] = [list_limits, get_limit, put_limit, patch_limit, delete_limit]


async def _given(request: AnyRequest, services: Services) -> dict[str, Any]:
    headers = dict(request.scope["headers"])
    bodies.require_json(headers)
    content = await bodies.read(request.receive, headers, _MOST_BYTES, services.bounds.body_s)
    given: dict[str, Any] = bodies.whole(bodies.parse(content, 3))
    if not _SETTINGS.is_valid(given):
        raise Invalid(
            "these are not the settings of a limit",
            errors=explain(_SETTINGS, given),
            hint="see /docs",
        )
    if given.get("slowed_until") is not None:
        parse_time(given["slowed_until"], "/slowed_until")
    return given


async def _versions(request: AnyRequest, services: Services, name: str) -> list[int] | str:
    if await _read(services, plain(name, "name")) is None:
        raise _none(name)
    versions = if_match(request)
    if versions is None:
        raise needed(f"the limit {name!r}")
    return versions


async def _patch(
    services: Services, name: str, settings: dict[str, Any], versions: list[int] | str
) -> bool:
    row = await services.writes.row(
        "patch_limit",
        {
            "name": name,
            "settings": orjson.dumps(settings).decode(),
            "versions": None if versions == "*" else versions,
        },
    )
    return row is not None and row["version"] is not None


async def _changed(services: Services, name: str) -> Json:
    row = await _read(services, name)
    if row is None:
        raise _none(name)
    return _answer_with(row)


async def _read(services: Services, name: str | None) -> dict[str, Any] | None:
    # on the writing side: a replica for reads may be a moment behind
    return await services.writes.row("get_limit", {"name": name})


def _answer_with(row: dict[str, Any]) -> Json:
    answer = json_answer(row["item"].encode())
    answer.headers.update(etag(row["version"]))
    return answer


def _none(name: str) -> NotFound:
    return NotFound(f"there is no limit {name[:255]!r}", hint="GET /v1/limits lists them")


def _encode(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _decode(cursor: str | None) -> str:
    if cursor is None:
        return ""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        name = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error) as error:
        raise wrong("cursor", "this is no cursor that a page gave as next") from error
    if "\0" in name:
        raise wrong("cursor", "this is no cursor that a page gave as next")
    return name
