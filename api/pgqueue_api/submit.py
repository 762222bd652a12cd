"""POST /v1/tasks and /v1/tasks/bulk: from the bytes of a request to the bytes of its answer."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from pgqueue import telemetry
from pgqueue.errors import NotFound, PgQueueError
from pgqueue_api import body
from pgqueue_api.problems import Invalid, KeyInFlight, KeyReused, Problem, problem_of
from pgqueue_api.schemas import BULK
from pgqueue_api.submission import Submission, check, check_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from litestar.types import Receive

    from pgqueue_api.registry import TaskType
    from pgqueue_api.services import Services

__all__ = ["Answer", "submit_bulk", "submit_one"]

Headers = dict[bytes, bytes]

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?", re.IGNORECASE)
_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


@dataclass(slots=True)
class Answer:
    """A response: JSON, and what its headers say beside that."""

    status: int
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Request:
    services: Services
    headers: Headers
    content: bytes

    @property
    def traceparent(self) -> str | None:
        given = self.headers.get(b"traceparent")
        return None if given is None else telemetry.parse(given.decode("latin-1"))


async def submit_one(services: Services, headers: Headers, receive: Receive) -> Answer:
    """Store one task and answer with it, or with its end if the client prefers to wait."""
    limits = services.limits
    body.require_json(headers)
    content = await body.read(receive, headers, limits.body, limits.body_s)
    raw = body.parse(content, limits.depth + 1)
    check_shape(raw)
    kind = services.registry.known(raw["type"]) or await services.registry.find(raw["type"])
    request = _Request(services, headers, content)
    if not telemetry.enabled():
        answer = await _store_one(request, raw, kind, request.traceparent)
    else:
        attributes = {"pgqueue.type": kind.name}
        with telemetry.span_from(
            request.traceparent, "submit", attributes, kind="producer"
        ) as span:
            answer = await _store_one(request, raw, kind, span.traceparent)
    if b"prefer" in headers:
        await _wait(services, headers[b"prefer"], answer)
    return answer


async def _store_one(
    request: _Request, raw: dict[str, Any], kind: TaskType, traceparent: str | None
) -> Answer:
    services = request.services
    submission = check(raw, kind, services.registry.budgets, traceparent, services.limits.payload)
    if b"idempotency-key" in request.headers:
        ids, created_at, replayed = await _store_once(request, [submission], [1], 1)
        id = str(ids[0])
        if replayed:
            replay = {"Location": f"/v1/tasks/{id}", "Idempotent-Replayed": "true"}
            return Answer(201, (await _states(services, [id]))[id], replay)
    else:
        id, created_at = await services.submitter.submit(submission.element)
    return Answer(201, submission.as_task(id, created_at), {"Location": f"/v1/tasks/{id}"})


async def submit_bulk(services: Services, headers: Headers, receive: Receive) -> Answer:
    """Store up to 1,000 tasks; each gets its own answer, in the order given."""
    limits = services.limits
    body.require_json(headers)
    content = await body.read(receive, headers, limits.bulk_body, limits.body_s)
    raw = body.parse(content, limits.depth + 3)
    tasks = _tasks_of(raw, limits.bulk_tasks)
    request = _Request(services, headers, content)
    with telemetry.span_from(
        request.traceparent, "submit", {"pgqueue.tasks": len(tasks)}, kind="producer"
    ) as span:
        checked = [
            await _check(services, task, f"/tasks/{n}", span.traceparent)
            for n, task in enumerate(tasks)
        ]
        extra: dict[str, str] = {}
        if b"idempotency-key" in headers:
            outcomes, replayed = await _store_bulk_once(request, checked)
            if replayed:
                extra["Idempotent-Replayed"] = "true"
        else:
            outcomes = await _store_bulk(services, checked)
    accepted = sum(1 for outcome in outcomes if isinstance(outcome, tuple))
    items = [
        {"ok": True, "id": outcome[0], "task": orjson.Fragment(outcome[1])}
        if isinstance(outcome, tuple)
        else {"ok": False, "problem": outcome}
        for outcome in outcomes
    ]
    result = {"accepted": accepted, "refused": len(items) - accepted, "items": items}
    return Answer(200, orjson.dumps(result), extra)


def _tasks_of(raw: Any, most: int) -> list[Any]:
    if not isinstance(raw, dict) or set(raw) != {"tasks"} or not isinstance(raw["tasks"], list):
        raise Invalid('this is not {"tasks": […]}', hint="see /docs")
    if not 1 <= len(raw["tasks"]) <= min(most, BULK["properties"]["tasks"]["maxItems"]):
        raise Invalid(
            f"{len(raw['tasks']):,} tasks are not 1 to {most:,}",
            errors=[{"pointer": "/tasks", "message": f"1 to {most:,} tasks"}],
        )
    return raw["tasks"]


async def _check(
    services: Services, raw: Any, prefix: str, traceparent: str | None
) -> Submission | Problem:
    try:
        check_shape(raw, prefix)
        kind = services.registry.known(raw["type"]) or await services.registry.find(raw["type"])
        budgets = services.registry.budgets
        return check(raw, kind, budgets, traceparent, services.limits.payload, prefix=prefix)
    except PgQueueError as error:
        if error.status >= 500:
            raise
        return problem_of(error)[1]


Outcome = tuple[str, bytes] | Problem
"""A stored task's id and JSON, or the problem with it."""


async def _store_bulk(services: Services, checked: Sequence[Submission | Problem]) -> list[Outcome]:
    futures = [
        services.submitter.submit(one.element) if isinstance(one, Submission) else one
        for one in checked
    ]
    outcomes: list[Outcome] = []
    failure: PgQueueError | None = None
    for one, future in zip(checked, futures, strict=True):
        if isinstance(future, dict) or isinstance(one, dict):
            outcomes.append(one if isinstance(one, dict) else {})
            continue
        try:
            id, created_at = await future
            outcomes.append((id, one.as_task(id, created_at)))
        except PgQueueError as error:
            outcomes.append(problem_of(error)[1])
            failure = error if error.status >= 500 else failure
    if failure is not None and not any(isinstance(outcome, tuple) for outcome in outcomes):
        raise failure
    return outcomes


async def _store_bulk_once(
    request: _Request, checked: Sequence[Submission | Problem]
) -> tuple[list[Outcome], bool]:
    places = [n for n, one in enumerate(checked, 1) if isinstance(one, Submission)]
    good = [one for one in checked if isinstance(one, Submission)]
    ids, created_at, replayed = await _store_once(request, good, places, len(checked))
    states = await _states(request.services, [id for id in ids if id]) if replayed else {}
    outcomes: list[Outcome] = []
    for id, one in zip(ids, checked, strict=True):
        if id is None:
            refused = Invalid("it was refused when this Idempotency-Key came first")
            outcomes.append(one if isinstance(one, dict) else problem_of(refused)[1])
        elif replayed:
            outcomes.append((id, states[id]))
        elif isinstance(one, Submission):
            outcomes.append((id, one.as_task(id, created_at)))
    return outcomes, replayed


async def _store_once(
    request: _Request, submissions: Sequence[Submission], places: Sequence[int], asked: int
) -> tuple[list[str | None], str, bool]:
    """Store tasks under a key; give their ids by place, and whether they were there before."""
    row = await request.services.writes.row(
        "submit_idempotent",
        {
            "key": _key(request.headers),
            "request_hash": hashlib.sha256(request.content).digest(),
            "tasks": (b"[" + b",".join(one.element for one in submissions) + b"]").decode(),
            "places": places,
            "asked": asked,
        },
    )
    assert row is not None
    if row["verdict"] == "in_flight":
        raise KeyInFlight(hint="wait for its answer, or ask again in a moment")
    if row["verdict"] == "reused":
        raise KeyReused(hint="use a new key for a new request")
    if row["queues"]:
        request.services.doorbell.ring(row["queues"], [id for id in row["ids"] if id])
    return row["ids"], row["created_at"], row["verdict"] == "replayed"


async def _states(services: Services, ids: Sequence[str]) -> dict[str, bytes]:
    rows = await services.writes.rows("task_states", {"ids": ids})
    states = {row["id"]: row["state"].encode() for row in rows}
    if len(states) < len(set(ids)):
        raise NotFound("the tasks of this Idempotency-Key are no longer kept")
    return states


async def _wait(services: Services, preference: bytes, answer: Answer) -> None:
    asked = _WAIT.search(preference.decode("latin-1"))
    if asked is None:
        return
    seconds = min(float(asked[1]), services.limits.wait_s)
    id = answer.headers["Location"].rsplit("/", 1)[1]
    state = await services.hub.wait_for_end(id, seconds)
    if state is not None:
        answer.content = state
    answer.headers["Preference-Applied"] = f"wait={seconds:g}"


def _key(headers: Mapping[bytes, bytes]) -> str:
    key = headers[b"idempotency-key"].decode("latin-1")
    if not _KEY.fullmatch(key):
        raise Invalid(
            "this is not an Idempotency-Key",
            errors=[{"parameter": "Idempotency-Key", "message": "1 to 255 printable characters"}],
        )
    return key
