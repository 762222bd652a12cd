"""/v1/dead-letters: what failed for good, and how to run it again. /v1/notices: that it grows."""

from __future__ import annotations

import re
from typing import Annotated, Any
from uuid import UUID

import jsonschema_rs
import orjson
from litestar import Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from pgqueue.errors import NotFound
from pgqueue_api.http import bodies
from pgqueue_api.http.answers import items, json_answer
from pgqueue_api.http.parameters import plain, time_of, wrong
from pgqueue_api.problems import Invalid
from pgqueue_api.schemas.dead_letters import POLICY
from pgqueue_api.services import Services
from pgqueue_api.submit.types import explain

__all__ = ["ROUTES"]

Json = Response[bytes]
AnyRequest = Request[Any, Any, Any]

_CURSOR = re.compile(r"(-?\d{1,18})\.([0-9a-f-]{36})")
_FINGERPRINT = re.compile("[0-9a-f]{16}")
_POLICY = jsonschema_rs.validator_for(POLICY, offline=True)


@get("/v1/dead-letters")
async def list_dead_letters(
    *,
    services: NamedDependency[Services],
    type: Annotated[str | None, QueryParameter(name="type", max_length=100)] = None,
    queue: Annotated[str | None, QueryParameter(name="queue", max_length=100)] = None,
    fingerprint: Annotated[str | None, QueryParameter(name="fingerprint", max_length=16)] = None,
    from_time: Annotated[str | None, QueryParameter(name="from", max_length=40)] = None,
    to_time: Annotated[str | None, QueryParameter(name="to", max_length=40)] = None,
    cursor: Annotated[str | None, QueryParameter(name="cursor", max_length=60)] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=200)] = 50,
) -> Json:
    """Give a page of dead letters, latest first."""
    place_us, place_id = _place(cursor)
    row = await services.reads.row(
        "list_dead_letters",
        {
            "filter": _filter(type, queue, fingerprint, from_time, to_time),
            "place_us": place_us,
            "place_id": place_id,
            "most": limit,
        },
    )
    assert row is not None
    more = f"{row['next_us']}.{row['next_id']}" if row["next_id"] else None
    return items(row["items"], next=more)


@get("/v1/dead-letters/groups")
async def group_dead_letters(
    *,
    services: NamedDependency[Services],
    type: Annotated[str | None, QueryParameter(name="type", max_length=100)] = None,
    queue: Annotated[str | None, QueryParameter(name="queue", max_length=100)] = None,
    fingerprint: Annotated[str | None, QueryParameter(name="fingerprint", max_length=16)] = None,
    from_time: Annotated[str | None, QueryParameter(name="from", max_length=40)] = None,
    to_time: Annotated[str | None, QueryParameter(name="to", max_length=40)] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=200)] = 50,
) -> Json:
    """Give the dead letters by fingerprint."""
    filter = _filter(type, queue, fingerprint, from_time, to_time)
    row = await services.reads.row("group_dead_letters", {"filter": filter, "most": limit})
    assert row is not None
    return items(row["items"], searched_until=row["searched_until"])


@get("/v1/dead-letters/{id:uuid}")
async def get_dead_letter(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Give one dead letter."""
    row = await services.reads.row("dead_letter_states", {"ids": [id]})
    if row is None:
        raise _unknown(id)
    return json_answer(row["state"].encode())


@delete("/v1/dead-letters/{id:uuid}", status_code=204)
async def delete_dead_letter(id: FromPath[UUID], services: NamedDependency[Services]) -> None:
    """Delete one dead letter."""
    row = await services.writes.row("delete_dead_letter", {"id": id})
    assert row is not None
    if not row["deleted"]:
        raise _unknown(id)


@post("/v1/dead-letters/{id:uuid}/redrive", status_code=200)
async def redrive_dead_letter(id: FromPath[UUID], services: NamedDependency[Services]) -> Json:
    """Run the task of a dead letter again."""
    row = await services.writes.row("redrive", {"id": id})
    assert row is not None
    if row["redriven_as"] is None:
        raise _unknown(id)
    [task] = await services.writes.rows("task_states", {"ids": [row["redriven_as"]]})
    answer = {**row, "id": str(id), "task": orjson.Fragment(task["state"])}
    return json_answer(orjson.dumps(answer))


@get("/v1/dead-letters/policies")
async def list_policies(services: NamedDependency[Services]) -> Json:
    """Give what holds for all queues, and for those that say something else."""
    rows = await services.reads.rows("list_dead_letter_policies")
    return items([row["item"] for row in rows])


@patch("/v1/dead-letters/policies/{queue:str}")
async def patch_policy(
    queue: FromPath[str], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Change what holds for a queue, or for all."""
    name = _queue(queue)
    headers = dict(request.scope["headers"])
    bodies.require_json(headers)
    content = await bodies.read(request.receive, headers, 10_000, services.bounds.body_s)
    given = bodies.parse(content, 2)
    if not _POLICY.is_valid(given):
        raise Invalid("this is no policy", errors=explain(_POLICY, given, ""), hint="see /docs")
    usual = {"retention_s": None, "growth_limit": None, "alert_type": None}
    await services.writes.rows("set_dead_letter_policy", {"queue": name, **usual, **given})
    rows = await services.writes.rows("list_dead_letter_policies")
    return items([row["item"] for row in rows])


@delete("/v1/dead-letters/policies/{queue:str}", status_code=204)
async def reset_policy(queue: FromPath[str], services: NamedDependency[Services]) -> None:
    """Let what holds for all hold for this queue again."""
    await services.writes.rows("reset_dead_letter_policy", {"queue": _queue(queue)})


@get("/v1/notices")
async def list_notices(
    services: NamedDependency[Services],
    cursor: Annotated[str | None, QueryParameter(name="cursor", max_length=20)] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=200)] = 50,
) -> Json:
    """Give what people should know of, latest first."""
    if cursor is not None and not re.fullmatch(r"[0-9]{1,18}", cursor):
        raise wrong("cursor", "this is no cursor that a page gave as next")
    rows = await services.reads.rows(
        "list_notices", {"before": int(cursor) if cursor else None, "most": limit + 1}
    )
    page = rows[:limit]
    more = str(page[-1]["id"]) if len(rows) > limit else None
    return items([row["item"] for row in page], next=more)


ROUTES: list[Any] = [
    list_dead_letters,
    group_dead_letters,
    get_dead_letter,
    delete_dead_letter,
    redrive_dead_letter,
    list_policies,
    patch_policy,
    reset_policy,
    list_notices,
]


def _filter(
    type: str | None,
    queue: str | None,
    fingerprint: str | None,
    from_time: str | None,
    to_time: str | None,
) -> str:
    if fingerprint is not None and not _FINGERPRINT.fullmatch(fingerprint):
        raise wrong("fingerprint", "a fingerprint is 16 hexadecimal digits")
    filter = {
        "type": plain(type, "type"),
        "queue": plain(queue, "queue"),
        "fingerprint": fingerprint,
        "from": time_of(from_time, "from"),
        "to": time_of(to_time, "to"),
    }
    given = {name: value for name, value in filter.items() if value is not None}
    return orjson.dumps(given).decode()


def _queue(name: str) -> str:
    if not name.isprintable() or not 1 <= len(name) <= 100:
        raise wrong("queue", "it is 1 to 100 characters that can be printed")
    return name


def _place(cursor: str | None) -> tuple[int | None, UUID | None]:
    if cursor is None:
        return None, None
    found = _CURSOR.fullmatch(cursor)
    try:
        if found:
            return int(found[1]), UUID(found[2])
    except ValueError:
        pass
    raise wrong("cursor", "this is no cursor that a page gave as next")


def _unknown(id: UUID) -> NotFound:
    return NotFound(f"there is no dead letter {id}", hint="it was run again, deleted or pruned")
