"""/v1/schedules: tasks at the times that a cron expression names, or once."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any, Literal

import orjson
from litestar import Request, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from pgqueue.client.schedules import settle
from pgqueue.errors import Conflict, NotFound
from pgqueue_api.http.answers import items, json_answer
from pgqueue_api.http.parameters import plain, wrong
from pgqueue_api.http.preconditions import etag, if_match, needed, stale
from pgqueue_api.resources.schedule_body import (
    check_task,
    check_times,
    read_body,
    settings_of,
    times_of,
    validator,
)
from pgqueue_api.schemas import schedules
from pgqueue_api.services import Services
from pgqueue_api.submit.submission import json_time, parse_time

__all__ = ["ROUTES"]

AnyRequest = Request[Any, Any, Any]
Json = Response[bytes]
Fate = Literal["enqueued", "waiting", "skipped", "missed"]

_NEW = validator(schedules.NEW_SCHEDULE)
_ALL = validator(schedules.SCHEDULE_SETTINGS)
_CHANGE = validator(schedules.SCHEDULE_CHANGE)
_PREVIEW = validator(schedules.PREVIEW)
_BACKFILL = validator(schedules.BACKFILL)
_NOT_SET = dict.fromkeys(schedules.SCHEDULE_CHANGE["properties"])
_NAME = re.compile(schedules.NAME["pattern"])
_CURSOR = re.compile(r"-?\d{1,18}")
_SHOWN = 5
_NOT_THERE = 0
_TIMING = ("cron", "run_at", "timezone", "starts_at", "ends_at")


@post("/v1/schedules", status_code=201)
async def create_schedule(request: AnyRequest, services: NamedDependency[Services]) -> Json:
    """Make a schedule."""
    given = await read_body(request, services, _NEW)
    name = given.pop("name")
    settings = await _checked(services, given)
    if not await _patch(services, name, settings, [_NOT_THERE]):
        raise Conflict(f"there is a schedule {name!r} already", hint="PATCH or PUT changes it")
    return await _schedule(services, name, status=201)


@get("/v1/schedules")
async def list_schedules(
    *,
    services: NamedDependency[Services],
    type: Annotated[str | None, QueryParameter(name="type", max_length=100)] = None,
    queue: Annotated[str | None, QueryParameter(name="queue", max_length=100)] = None,
    cursor: Annotated[str | None, QueryParameter(name="cursor", max_length=200)] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=200)] = 50,
) -> Json:
    """Give a page of schedules by name."""
    filters = {"type": plain(type, "type"), "queue": plain(queue, "queue")}
    rows = await services.reads.rows(
        "list_schedules", {**filters, "after": _after(cursor), "most": limit + 1}
    )
    more = None
    if len(rows) > limit:
        more = base64.urlsafe_b64encode(rows[limit - 1]["name"].encode()).decode()
    return items([row["state"] for row in rows[:limit]], next=more)


@post("/v1/schedules/preview", status_code=200)
async def preview_schedule(request: AnyRequest, services: NamedDependency[Services]) -> Json:
    """Give the next five times at which such a schedule is due."""
    settings = settings_of(await read_body(request, services, _PREVIEW))
    row = await services.reads.row("clock")
    assert row is not None
    times = times_of(settings, row["now"], _SHOWN)
    found = [{"due_at": json_time(due), "local": due.isoformat()} for due in times]
    return json_answer(orjson.dumps({"due_times": found}))


@get("/v1/schedules/{schedule:str}")
async def get_schedule(schedule: FromPath[str], services: NamedDependency[Services]) -> Json:
    """Give a schedule."""
    return await _schedule(services, schedule, written=False)


@put("/v1/schedules/{schedule:str}")
async def put_schedule(
    schedule: FromPath[str], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Make a schedule, or replace all that it says."""
    settings = await _checked(services, {**_NOT_SET, **await read_body(request, services, _ALL)})
    known = await _read(services, schedule)
    versions = if_match(request)
    if known is None:
        if versions is not None:
            raise stale(f"schedule {schedule!r}")
        if not _NAME.fullmatch(schedule) or schedule == "preview":
            raise wrong("schedule", f"a new schedule's name fits {_NAME.pattern}")
        versions = [_NOT_THERE]
    if versions is None:
        raise needed(f"schedule {schedule!r}")
    if not await _patch(services, schedule, settings, versions):
        raise stale(f"schedule {schedule!r}")
    return await _schedule(services, schedule, status=201 if known is None else 200)


@patch("/v1/schedules/{schedule:str}")
async def patch_schedule(
    schedule: FromPath[str], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Change what is given of a schedule."""
    change = await read_body(request, services, _CHANGE)
    known = await _read(services, schedule)
    if known is None:
        raise _none(schedule)
    versions = if_match(request)
    if versions is None:
        raise needed(f"schedule {schedule!r}")
    change = settings_of(change)
    before = orjson.loads(known["state"])
    if not change.keys().isdisjoint(_TIMING):
        check_times({**before, **change})
    if "type" in change or "payload" in change:
        merged = {**before, **change}
        await check_task(services, merged["type"], merged["payload"])
    if not await _patch(services, schedule, change, versions):
        raise stale(f"schedule {schedule!r}")
    return await _schedule(services, schedule)


@delete("/v1/schedules/{schedule:str}", status_code=204)
async def delete_schedule(
    schedule: FromPath[str], request: AnyRequest, services: NamedDependency[Services]
) -> None:
    """Delete a schedule."""
    versions = if_match(request)
    if versions is not None and await _read(services, schedule) is None:
        raise _none(schedule)
    row = await services.writes.row(
        "delete_schedule",
        {"name": plain(schedule, "schedule"), "versions": None if versions == "*" else versions},
    )
    assert row is not None
    if not row["deleted"]:
        raise _none(schedule) if versions is None else stale(f"schedule {schedule!r}")


@post("/v1/schedules/{schedule:str}/pause", status_code=200)
async def pause_schedule(schedule: FromPath[str], services: NamedDependency[Services]) -> Json:
    """Pause a schedule."""
    await services.writes.row("pause_schedule", {"name": plain(schedule, "schedule")})
    return await _schedule(services, schedule)


@post("/v1/schedules/{schedule:str}/resume", status_code=200)
async def resume_schedule(schedule: FromPath[str], services: NamedDependency[Services]) -> Json:
    """Resume a schedule."""
    await services.writes.row("resume_schedule", {"name": plain(schedule, "schedule")})
    await settle(services.writes.rows, schedule)
    return await _schedule(services, schedule)


@post("/v1/schedules/{schedule:str}/trigger", status_code=201)
async def trigger_schedule(schedule: FromPath[str], services: NamedDependency[Services]) -> Json:
    """Enqueue the task of a schedule now."""
    row = await services.writes.row("trigger_schedule", {"name": plain(schedule, "schedule")})
    assert row is not None
    [task] = await services.writes.rows("task_states", {"ids": [row["task_id"]]})
    answer = json_answer(task["state"].encode())
    answer.status_code = 201
    answer.headers["Location"] = f"/v1/tasks/{row['task_id']}"
    return answer


@post("/v1/schedules/{schedule:str}/backfill", status_code=202)
async def backfill_schedule(
    schedule: FromPath[str], request: AnyRequest, services: NamedDependency[Services]
) -> Json:
    """Make up for a range of the past."""
    given = await read_body(request, services, _BACKFILL)
    await services.writes.row(
        "backfill_schedule",
        {
            "name": plain(schedule, "schedule"),
            "from_at": parse_time(given["from"], "/from"),
            "to_at": parse_time(given["to"], "/to"),
        },
    )
    return await _schedule(services, schedule, status=202)


@get("/v1/schedules/{schedule:str}/slots")
async def list_slots(
    *,
    schedule: FromPath[str],
    services: NamedDependency[Services],
    fate: Annotated[Fate | None, QueryParameter(name="fate")] = None,
    cursor: Annotated[str | None, QueryParameter(name="cursor", max_length=200)] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=200)] = 50,
) -> Json:
    """Give a page of what became of a schedule's times, latest first."""
    if cursor is not None and not _CURSOR.fullmatch(cursor):
        raise wrong("cursor", "this is no cursor that a page gave as next")
    if await _read(services, schedule) is None:
        raise _none(schedule)
    rows = await services.reads.rows(
        "list_schedule_slots",
        {
            "which": schedule,
            "fate": fate,
            "before_us": None if cursor is None else int(cursor),
            "most": limit + 1,
        },
    )
    more = str(rows[limit - 1]["due_us"]) if len(rows) > limit else None
    return items([row["item"] for row in rows[:limit]], next=more)


ROUTES: list[Any] = [
    create_schedule,
    list_schedules,
    preview_schedule,
    get_schedule,
    put_schedule,
    patch_schedule,
    delete_schedule,
    pause_schedule,
    resume_schedule,
    trigger_schedule,
    backfill_schedule,
    list_slots,
]


async def _checked(services: Services, given: dict[str, Any]) -> dict[str, Any]:
    """Give the settings of a whole schedule, once it is known that they can be right."""
    settings = settings_of(given)
    check_times(settings)
    await check_task(services, settings["type"], settings.get("payload"))
    return settings


async def _patch(
    services: Services, name: str, settings: dict[str, Any], versions: list[int] | str
) -> bool:
    row = await services.writes.row(
        "patch_schedule",
        {
            "name": name,
            "settings": orjson.dumps(settings).decode(),
            "versions": None if versions == "*" else versions,
        },
    )
    assert row is not None
    if row["version"] is None:
        return False
    await settle(services.writes.rows, name)
    return True


async def _read(services: Services, schedule: str) -> dict[str, Any] | None:
    # on the writing side: a replica for reads may be a moment behind
    return await services.writes.row("schedule_state", {"which": plain(schedule, "schedule")})


async def _schedule(
    services: Services, schedule: str, *, status: int = 200, written: bool = True
) -> Json:
    links = services.writes if written else services.reads
    row = await links.row("schedule_state", {"which": plain(schedule, "schedule")})
    if row is None:
        raise _none(schedule)
    answer = json_answer(row["state"].encode())
    answer.status_code = status
    answer.headers.update(etag(row["version"]))
    if status == 201:
        answer.headers["Location"] = f"/v1/schedules/{row['name']}"
    return answer


def _after(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        return plain(base64.urlsafe_b64decode(cursor).decode(), "cursor")
    except (ValueError, binascii.Error) as error:
        raise wrong("cursor", "this is no cursor that a page gave as next") from error


def _none(schedule: str) -> NotFound:
    return NotFound(f"there is no schedule {schedule[:100]!r}", hint="GET /v1/schedules lists them")
