"""/v1/schedules: tasks at the times of a cron expression, or once."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from pgqueue.client.schedules import settle
from pgqueue.database.pool import Row
from pgqueue.errors import Conflict, NotFound
from pgqueue.models.schedule import (
    SCHEDULE_NAME,
    Backfill,
    DueTimes,
    Fate,
    Schedule,
    ScheduleChange,
    ScheduleInput,
    SchedulePage,
    SchedulePreview,
    ScheduleSettings,
    SlotPage,
)
from pgqueue.models.tasks.task import Task
from pgqueue_api.http.answers import Json, items, page
from pgqueue_api.http.parameters import (
    Cursor,
    IfMatch,
    PageSize,
    QueueFilter,
    TypeFilter,
    decode_name,
    encode_name,
    name_in_path,
    plain,
    wrong,
)
from pgqueue_api.http.preconditions import stale, versions_in
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.resources.schedule_checks import check_task, check_times, settings_of, times_of
from pgqueue_api.services import Services
from pgqueue_api.submit.submission import json_time

__all__ = ["ROUTES"]

Which = Annotated[str, name_in_path("The name or id of the schedule.", "workdays")]
NewName = Annotated[
    str, name_in_path("The name or id of the schedule.", "workdays", pattern=SCHEDULE_NAME)
]
Before = Annotated[
    str | None,
    QueryParameter(
        name="cursor", pattern="^-?[0-9]{1,18}$", description="`next` of the previous page."
    ),
]
OfFate = Annotated[
    Fate | None, QueryParameter(name="fate", description="Return only due times of this fate.")
]

_TAG = "schedules"
_BODY = 300_000  # a payload as large as can be, and the settings beside it
_SHOWN = 5
_NOT_THERE = 0
_TIMING = ("cron", "run_at", "timezone", "starts_at", "ends_at")
_ETAG = {"ETag": "The version of its settings."}
_AFTERWARDS = Answer(200, "The schedule afterwards.", _ETAG)
_CREATED = Answer(201, "Created.", {**_ETAG, "Location": "The path of the schedule."}, Schedule)


@operation("POST /v1/schedules", _CREATED, tag=_TAG, problems=(409,), max_body=_BODY)
async def create_schedule(
    data: JSONBody[ScheduleInput], services: NamedDependency[Services]
) -> Json[Schedule]:
    """Create a schedule.

    By `cron`, or for one time. The type and the payload are checked as for a task.
    """
    settings = await _checked(services, data)
    if not await _patch(services, data.name, settings, [_NOT_THERE]):
        raise Conflict(f"there is already a schedule {data.name!r}", hint="PATCH or PUT changes it")
    return await _schedule(services, data.name, status=201)


@operation("GET /v1/schedules", Answer(200, "A page of schedules."), tag=_TAG)
async def list_schedules(
    *,
    services: NamedDependency[Services],
    type: TypeFilter = None,
    queue: QueueFilter = None,
    cursor: Cursor = None,
    limit: PageSize = 50,
) -> Json[SchedulePage]:
    """List schedules.

    By name, with their settings and their next due time. A page has 4 MiB at most. `queue` finds
    those that name the queue.
    """
    filters = {"type": plain(type, "type"), "queue": plain(queue, "queue")}
    after = plain(decode_name(cursor), "cursor") or None
    rows = await services.reads.rows(
        "list_schedules", {**filters, "after": after, "max_rows": limit + 1}
    )
    return page(rows, limit, lambda row: encode_name(row["name"]))


@operation("POST /v1/schedules/preview", Answer(200, "The due times."), tag=_TAG, max_body=_BODY)
async def preview_schedule(
    data: JSONBody[SchedulePreview], services: NamedDependency[Services]
) -> Json[DueTimes]:
    """Preview a schedule.

    Returns its next five due times. Nothing is stored.
    """
    row = await services.reads.row("clock")
    assert row is not None
    times = times_of(settings_of(data), row["now"], _SHOWN)
    found = [{"due_at": json_time(due), "local": due.isoformat()} for due in times]
    return Json(orjson.dumps({"due_times": found}))


@operation(
    "GET /v1/schedules/{schedule:str}",
    Answer(200, "The schedule.", _ETAG),
    tag=_TAG,
    problems=(404, 405, 422),
)
async def get_schedule(schedule: Which, services: NamedDependency[Services]) -> Json[Schedule]:
    """Read a schedule.

    By its name or id.
    """
    return await _schedule(services, schedule, written=False)


@operation(
    "PUT /v1/schedules/{schedule:str}",
    _AFTERWARDS,
    _CREATED,
    tag=_TAG,
    problems=(405, 409),
    max_body=_BODY,
)
async def put_schedule(
    schedule: NewName,
    data: JSONBody[ScheduleSettings],
    services: NamedDependency[Services],
    if_match: IfMatch = None,
) -> Json[Schedule]:
    """Create a schedule or replace its settings.

    Settings that you leave out take their defaults.
    """
    settings = await _checked(services, data, partial=False)
    known = await _find(services, schedule)
    versions = versions_in(if_match)
    if known is None:
        if versions is not None:
            raise stale(_named(schedule))
        if schedule == "preview":
            raise wrong("schedule", "'preview' is a path of its own: use another name")
    if not await _patch(services, schedule, settings, versions):
        raise stale(_named(schedule))
    return await _schedule(services, schedule, status=201 if known is None else 200)


@operation(
    "PATCH /v1/schedules/{schedule:str}",
    _AFTERWARDS,
    tag=_TAG,
    problems=(404, 405, 409),
    max_body=_BODY,
)
async def patch_schedule(
    schedule: Which,
    data: JSONBody[ScheduleChange],
    services: NamedDependency[Services],
    if_match: IfMatch = None,
) -> Json[Schedule]:
    """Change settings of a schedule.

    What you leave out stays. A schedule that code declares can only be paused and resumed: any
    other change answers 409.
    """
    known = await _find(services, schedule)
    if known is None:
        raise _not_found(schedule)
    change = settings_of(data)
    merged = {**orjson.loads(known["state"]), **change}
    if not change.keys().isdisjoint(_TIMING):
        check_times(merged)
    if "type" in change or "payload" in change:
        await check_task(services, merged["type"], merged["payload"])
    if not await _patch(services, schedule, change, versions_in(if_match)):
        raise stale(_named(schedule))
    return await _schedule(services, schedule)


@operation(
    "DELETE /v1/schedules/{schedule:str}",
    Answer(204, "Deleted."),
    tag=_TAG,
    problems=(404, 405, 409),
)
async def delete_schedule(
    schedule: Which, services: NamedDependency[Services], if_match: IfMatch = None
) -> None:
    """Delete a schedule.

    The record of its due times is deleted, too; its tasks stay.
    """
    versions = versions_in(if_match)
    if versions is not None and await _find(services, schedule) is None:
        raise _not_found(schedule)
    row = await services.writes.row(
        "delete_schedule",
        {"name": plain(schedule, "schedule"), "versions": None if versions == "*" else versions},
    )
    assert row is not None
    if not row["deleted"]:
        raise _not_found(schedule) if versions is None else stale(_named(schedule))


@operation("POST /v1/schedules/{schedule:str}/pause", _AFTERWARDS, tag=_TAG, problems=(404, 422))
async def pause_schedule(schedule: Which, services: NamedDependency[Services]) -> Json[Schedule]:
    """Pause a schedule.

    It enqueues nothing until you resume it. Due times that pass meanwhile are not enqueued later.
    """
    await services.writes.row("pause_schedule", {"name": plain(schedule, "schedule")})
    return await _schedule(services, schedule)


@operation("POST /v1/schedules/{schedule:str}/resume", _AFTERWARDS, tag=_TAG, problems=(404, 422))
async def resume_schedule(schedule: Which, services: NamedDependency[Services]) -> Json[Schedule]:
    """Resume a schedule.

    It continues with the next due time from now.
    """
    await services.writes.row("resume_schedule", {"name": plain(schedule, "schedule")})
    await settle(services.writes.rows, schedule)
    return await _schedule(services, schedule)


@operation(
    "POST /v1/schedules/{schedule:str}/trigger",
    Answer(201, "The task.", {"Location": "The path of the task."}),
    tag=_TAG,
    problems=(404, 422),
)
async def trigger_schedule(schedule: Which, services: NamedDependency[Services]) -> Json[Task]:
    """Run a schedule now.

    Enqueues its task, even if the schedule is paused and whatever its `overlap`.
    """
    row = await services.writes.row("trigger_schedule", {"name": plain(schedule, "schedule")})
    assert row is not None
    [task] = await services.writes.rows("task_states", {"ids": [row["task_id"]]})
    return Json(task["state"], Location=f"/v1/tasks/{row['task_id']}")


@operation(
    "POST /v1/schedules/{schedule:str}/backfill",
    Answer(202, "The schedule, with its backfill.", _ETAG),
    tag=_TAG,
    problems=(404, 409),
)
async def backfill_schedule(
    schedule: Which, data: JSONBody[Backfill], services: NamedDependency[Services]
) -> Json[Schedule]:
    """Backfill a schedule.

    Schedulers enqueue a task for each due time of the range that has none, oldest first.
    """
    await services.writes.row(
        "backfill_schedule",
        {"name": plain(schedule, "schedule"), "from_at": data.from_, "to_at": data.to},
    )
    return await _schedule(services, schedule, status=202)


@operation(
    "GET /v1/schedules/{schedule:str}/slots",
    Answer(200, "A page of due times."),
    tag=_TAG,
    problems=(404,),
)
async def list_schedule_slots(
    *,
    schedule: Which,
    services: NamedDependency[Services],
    fate: OfFate = None,
    cursor: Before = None,
    limit: PageSize = 50,
) -> Json[SlotPage]:
    """List the due times of a schedule.

    The outcome of each, latest first: enqueued (as which task), waiting, skipped or missed, and
    why.
    """
    if await _find(services, schedule) is None:
        raise _not_found(schedule)
    rows = await services.reads.rows(
        "list_schedule_slots",
        {
            "which": schedule,
            "fate": fate,
            "before_us": None if cursor is None else int(cursor),
            "max_rows": limit + 1,
        },
    )
    more = str(rows[limit - 1]["due_us"]) if len(rows) > limit else None
    return items([row["item"] for row in rows[:limit]], next=more)


ROUTES = [
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
    list_schedule_slots,
]


async def _checked(
    services: Services, given: ScheduleSettings, *, partial: bool = True
) -> dict[str, Any]:
    """Return the settings of a whole schedule, once it is known that they can be right."""
    settings = settings_of(given, partial=partial)
    check_times(settings)
    await check_task(services, given.type, given.payload)
    return settings


async def _patch(
    services: Services,
    name: str,
    settings: dict[str, Any],
    versions: list[int] | Literal["*"] | None,
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


async def _find(services: Services, schedule: str) -> Row | None:
    # on the writing side: a replica for reads may be a moment behind
    return await services.writes.row("schedule_state", {"which": plain(schedule, "schedule")})


async def _schedule(
    services: Services, schedule: str, *, status: int = 200, written: bool = True
) -> Json[Schedule]:
    pool = services.writes if written else services.reads
    row = await pool.row("schedule_state", {"which": plain(schedule, "schedule")})
    if row is None:
        raise _not_found(schedule)
    location = f"/v1/schedules/{row['name']}" if status == 201 else None
    return Json(row["state"], status=status, ETag=f'"{row["version"]}"', Location=location)


def _named(schedule: str) -> str:
    return f"schedule {schedule[:100]!r}"


def _not_found(schedule: str) -> NotFound:
    return NotFound(f"there is no {_named(schedule)}", hint="GET /v1/schedules lists them")
