"""/v1/dead-letters: tasks that failed for good, and how to run them again. /v1/notices: alarms."""

from __future__ import annotations

import re
from typing import Annotated
from uuid import UUID

import orjson
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody, QueryParameter

from pgqueue.errors import NotFound
from pgqueue.models.dead_letter import (
    FINGERPRINT,
    DeadLetter,
    DeadLetterGroups,
    DeadLetterPage,
    DeadLetterPolicies,
    DeadLetterPolicy,
    Redriven,
)
from pgqueue.models.notice import NoticePage
from pgqueue_api.http.answers import Json, items, page
from pgqueue_api.http.parameters import (
    Cursor,
    PageSize,
    QueueFilter,
    TypeFilter,
    id_in_path,
    name_in_path,
    plain,
    time_of,
    wrong,
)
from pgqueue_api.openapi.operation import Answer, operation
from pgqueue_api.services import Services

__all__ = ["ROUTES"]

LetterId = Annotated[UUID, id_in_path("The id of the task.")]
PolicyName = Annotated[
    str,
    name_in_path(
        "The name of the queue, or `*` for all queues without a policy of their own.", "default"
    ),
]
Before = Annotated[
    str | None,
    QueryParameter(
        name="cursor", pattern="^[0-9]{1,18}$", description="`next` of the previous page."
    ),
]
Fingerprint = Annotated[
    str | None,
    QueryParameter(
        name="fingerprint", pattern=FINGERPRINT, description="Return only failures of this kind."
    ),
]
FailedFrom = Annotated[
    str | None,
    QueryParameter(
        name="from", format="date-time", max_length=40, description="Failed at this time or later."
    ),
]
FailedTo = Annotated[
    str | None,
    QueryParameter(
        name="to", format="date-time", max_length=40, description="Failed before this time."
    ),
]

_TAG = "dead letters"
_PLACE = re.compile(r"(-?\d{1,18})\.([0-9a-f-]{36})")
_NO_POLICY = {"retention_s": None, "growth_limit": None, "alert_type": None}


def _filter(
    type: TypeFilter = None,
    queue: QueueFilter = None,
    fingerprint: Fingerprint = None,
    from_time: FailedFrom = None,
    to_time: FailedTo = None,
) -> str:
    """Return what the parameters of a list ask for, as SQL takes it."""
    filter = {
        "type": plain(type, "type"),
        "queue": plain(queue, "queue"),
        "fingerprint": fingerprint,
        "from": time_of(from_time, "from"),
        "to": time_of(to_time, "to"),
    }
    given = {name: value for name, value in filter.items() if value is not None}
    return orjson.dumps(given).decode()


_MATCHING = {"matching": Provide(_filter, sync_to_thread=False)}


@operation(
    "GET /v1/dead-letters",
    Answer(200, "A page of dead letters."),
    tag=_TAG,
    dependencies=_MATCHING,
)
async def list_dead_letters(
    services: NamedDependency[Services],
    matching: NamedDependency[str],
    cursor: Cursor = None,
    limit: PageSize = 50,
) -> Json[DeadLetterPage]:
    """List dead letters.

    Tasks that failed for good, latest first. A task that is run again leaves the list.
    """
    place_us, place_id = _place(cursor)
    row = await services.reads.row(
        "list_dead_letters",
        {"filter": matching, "place_us": place_us, "place_id": place_id, "max_rows": limit},
    )
    assert row is not None
    more = f"{row['next_us']}.{row['next_id']}" if row["next_id"] else None
    return items(row["items"], next=more)


@operation(
    "GET /v1/dead-letters/groups",
    Answer(200, "The groups, the largest first."),
    tag=_TAG,
    dependencies=_MATCHING,
)
async def group_dead_letters(
    services: NamedDependency[Services],
    matching: NamedDependency[str],
    limit: PageSize = 50,
) -> Json[DeadLetterGroups]:
    """Group dead letters by fingerprint.

    The largest group comes first, each with an example. At most the latest 20,000 dead letters are
    counted.
    """
    row = await services.reads.row("group_dead_letters", {"filter": matching, "max_groups": limit})
    assert row is not None
    return items(row["items"], searched_until=row["searched_until"])


@operation(
    "GET /v1/dead-letters/{id:uuid}", Answer(200, "The dead letter."), tag=_TAG, problems=(404,)
)
async def get_dead_letter(id: LetterId, services: NamedDependency[Services]) -> Json[DeadLetter]:
    """Read a dead letter.

    By the id of its task.
    """
    row = await services.reads.row("dead_letter_states", {"ids": [id]})
    if row is None:
        raise _not_found(id)
    return Json(row["state"])


@operation(
    "DELETE /v1/dead-letters/{id:uuid}",
    Answer(204, "Deleted."),
    tag=_TAG,
    problems=(404,),
    scope="admin",
)
async def delete_dead_letter(id: LetterId, services: NamedDependency[Services]) -> None:
    """Delete a dead letter.

    Its task stays failed, and is pruned with its day.
    """
    row = await services.writes.row("delete_dead_letter", {"id": id})
    assert row is not None
    if not row["deleted"]:
        raise _not_found(id)


@operation(
    "POST /v1/dead-letters/{id:uuid}/redrive",
    Answer(200, "The task that runs now."),
    tag=_TAG,
    problems=(404, 409),
)
async def redrive_dead_letter(id: LetterId, services: NamedDependency[Services]) -> Json[Redriven]:
    """Run the task of a dead letter again.

    It gets its original number of attempts. If its day is gone, it runs as a new task.
    """
    row = await services.writes.row("redrive", {"id": id})
    assert row is not None
    if row["redriven_as"] is None:
        raise _not_found(id)
    [task] = await services.writes.rows("task_states", {"ids": [row["redriven_as"]]})
    answer = {**row, "id": str(id), "task": orjson.Fragment(task["state"])}
    return Json(orjson.dumps(answer))


@operation("GET /v1/dead-letters/policies", Answer(200, "The policies."), tag=_TAG)
async def list_dead_letter_policies(
    services: NamedDependency[Services],
) -> Json[DeadLetterPolicies]:
    """List dead-letter policies.

    The default policy (`*`) and those of queues that have one of their own.
    """
    return await _policies(services)


@operation(
    "PATCH /v1/dead-letters/policies/{queue:str}", Answer(200, "All policies afterwards."), tag=_TAG
)
async def patch_dead_letter_policy(
    queue: PolicyName, data: JSONBody[DeadLetterPolicy], services: NamedDependency[Services]
) -> Json[DeadLetterPolicies]:
    """Change a dead-letter policy.

    Of a queue, or with `*` of all queues without one of their own. What you leave out stays.
    """
    given = {"queue": _printable(queue), **_NO_POLICY, **data.model_dump(exclude_unset=True)}
    await services.writes.rows("set_dead_letter_policy", given)
    return await _policies(services)


@operation(
    "DELETE /v1/dead-letters/policies/{queue:str}",
    Answer(204, "Deleted."),
    tag=_TAG,
    problems=(422,),
)
async def reset_dead_letter_policy(queue: PolicyName, services: NamedDependency[Services]) -> None:
    """Delete the dead-letter policy of a queue.

    The default policy applies to it again.
    """
    await services.writes.rows("reset_dead_letter_policy", {"queue": _printable(queue)})


@operation("GET /v1/notices", Answer(200, "A page of notices."), tag="dead letters")
async def list_notices(
    services: NamedDependency[Services], cursor: Before = None, limit: PageSize = 50
) -> Json[NoticePage]:
    """List notices.

    What people should know about, such as growing dead letters, latest first. Each is reported
    once.
    """
    rows = await services.reads.rows(
        "list_notices", {"before": int(cursor) if cursor else None, "max_rows": limit + 1}
    )
    return page(rows, limit, lambda row: str(row["id"]))


ROUTES = [
    list_dead_letters,
    group_dead_letters,
    get_dead_letter,
    delete_dead_letter,
    redrive_dead_letter,
    list_dead_letter_policies,
    patch_dead_letter_policy,
    reset_dead_letter_policy,
    list_notices,
]


async def _policies(services: Services) -> Json[DeadLetterPolicies]:
    rows = await services.writes.rows("list_dead_letter_policies")
    return items(row["item"] for row in rows)


def _printable(queue: str) -> str:
    return plain(queue, "queue") or queue


def _place(cursor: str | None) -> tuple[int | None, UUID | None]:
    if cursor is None:
        return None, None
    found = _PLACE.fullmatch(cursor)
    try:
        if found:
            return int(found[1]), UUID(found[2])
    except ValueError:
        pass
    raise wrong("cursor", "use the `next` of a page")


def _not_found(id: UUID) -> NotFound:
    return NotFound(f"there is no dead letter {id}", hint="it was run again, deleted or pruned")
