"""/v1/queues: what waits in each, and its settings."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
import orjson
from litestar import Request, Response, get, patch, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from pgqueue.errors import NotFound
from pgqueue_api.http import bodies
from pgqueue_api.http.answers import items, json_answer
from pgqueue_api.http.parameters import plain, wrong
from pgqueue_api.http.preconditions import etag, if_match, needed, stale
from pgqueue_api.problems import Invalid
from pgqueue_api.schemas.parts import QUEUE_NAME
from pgqueue_api.schemas.queues import QUEUE_SETTINGS
from pgqueue_api.services import Services
from pgqueue_api.submit.submission import parse_time
from pgqueue_api.submit.types import explain

__all__ = ["ROUTES", "answer_with", "check_name"]

AnyRequest = Request[Any, Any, Any]
Json = Response[bytes]

_SETTINGS = jsonschema_rs.validator_for(QUEUE_SETTINGS, offline=True)
_NAME = re.compile(QUEUE_NAME)
_NOT_SET = dict.fromkeys(QUEUE_SETTINGS["properties"])
_MOST_BYTES = 10_000
_NOT_THERE = 0


@get("/v1/queues")
async def list_queues(services: NamedDependency[Services]) -> Json:
    """Give the queues with their depth, as it was sampled last."""
    rows = await services.reads.rows("list_queues", {"name": None})
    return items([row["item"] for row in rows])


@get("/v1/queues/{name:str}")
async def get_queue(name: FromPath[str], services: NamedDependency[Services]) -> Json:
    """Give one queue; the ETag names the version of its settings."""
    row = await services.reads.row("list_queues", {"name": plain(name, "name")})
    if row is None:
        raise _none(name)
    return answer_with(row)


@put("/v1/queues/{name:str}")
async def put_queue(
    name: FromPath[str], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Replace the settings of a queue, or make it with these."""
    check_name(name)
    settings = {**_NOT_SET, **await _given(request, services)}
    versions = if_match(request)
    if versions == "*" and await _read(services, name) is None:
        raise stale(f"the queue {name!r}")
    if versions is None:
        if not await _patch(services, name, settings, [_NOT_THERE]):
            raise needed(f"the queue {name!r}")
        return await _changed(services, name, status=201)
    if not await _patch(services, name, settings, versions):
        raise stale(f"the queue {name!r}")
    return await _changed(services, name)


@patch("/v1/queues/{name:str}")
async def patch_queue(
    name: FromPath[str], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Change what is given of a queue's settings; null takes a setting away."""
    settings = await _given(request, services)
    if await _read(services, plain(name, "name")) is None:
        raise _none(name)
    versions = if_match(request)
    if versions is None:
        raise needed(f"the queue {name!r}")
    if not await _patch(services, name, settings, versions):
        raise stale(f"the queue {name!r}")
    return await _changed(services, name)


ROUTES: list[Any] = [list_queues, get_queue, put_queue, patch_queue]


def check_name(name: str) -> None:
    """Refuse the name that no new queue can have."""
    if not _NAME.fullmatch(name):
        raise wrong("name", f"a new queue's name fits {QUEUE_NAME}")


def answer_with(row: dict[str, Any]) -> Json:
    """Answer with a queue, a row of the query ``list_queues``; the ETag names its version."""
    answer = json_answer(row["item"].encode())
    answer.headers.update(etag(row["version"]))
    return answer


async def _given(request: AnyRequest, services: Services) -> dict[str, Any]:
    headers = dict(request.scope["headers"])
    bodies.require_json(headers)
    content = await bodies.read(request.receive, headers, _MOST_BYTES, services.bounds.body_s)
    given = bodies.whole(bodies.parse(content, 4))
    if not _SETTINGS.is_valid(given):
        raise Invalid(
            "these are not the settings of a queue",
            errors=explain(_SETTINGS, given),
            hint="see /docs",
        )
    settings: dict[str, Any] = given
    if settings.get("slowed_until") is not None:
        parse_time(settings["slowed_until"], "/slowed_until")
    return settings


async def _patch(
    services: Services, name: str, settings: dict[str, Any], versions: list[int] | str
) -> bool:
    row = await services.writes.row(
        "patch_queue",
        {
            "name": name,
            "settings": orjson.dumps(settings).decode(),
            "versions": None if versions == "*" else versions,
        },
    )
    return row is not None and row["version"] is not None


async def _changed(services: Services, name: str, *, status: int = 200) -> Json:
    await services.registry.renew()  # so that the next submit here is by these settings
    row = await _read(services, name)
    assert row is not None
    answer = answer_with(row)
    answer.status_code = status
    if status == 201:
        answer.headers["Location"] = f"/v1/queues/{name}"
    return answer


async def _read(services: Services, name: str | None) -> dict[str, Any] | None:
    # on the writing side: a replica for reads may be a moment behind
    return await services.writes.row("list_queues", {"name": name})


def _none(name: str) -> NotFound:
    return NotFound(f"there is no queue {name[:100]!r}", hint="GET /v1/queues lists them")
