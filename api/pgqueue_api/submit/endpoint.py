"""POST /v1/tasks and /v1/tasks/bulk: from the bytes of a request to the bytes of its answer."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from pgqueue import telemetry
from pgqueue.errors import PgQueueError
from pgqueue.models.tasks.bulk import MAX_TASKS
from pgqueue_api.http import bodies
from pgqueue_api.http.parameters import wait_in
from pgqueue_api.problems import Invalid, problem_of
from pgqueue_api.submit.all_or_none import all_or_none, pointing
from pgqueue_api.submit.store import Kept, Outcome, as_stored, flagged, store, store_once
from pgqueue_api.submit.submission import Submission, check, check_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from litestar.types import Receive

    from pgqueue_api.access.principal import Principal
    from pgqueue_api.submit.services import Services
    from pgqueue_api.submit.types import TaskType

__all__ = ["Answered", "check_all", "submit_bulk", "submit_one"]

Headers = dict[bytes, bytes]

_TURN_S = 0.01
_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


@dataclass(slots=True)
class Answered:
    """A response: JSON, and the values of its headers."""

    status: int
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)
    deduplicated: bool | None = None


@dataclass(frozen=True, slots=True)
class _Request:
    services: Services
    principal: Principal
    headers: Headers
    content: bytes

    @property
    def traceparent(self) -> str | None:
        given = self.headers.get(b"traceparent")
        return None if given is None else telemetry.parse(given.decode("latin-1"))


async def submit_one(
    services: Services, principal: Principal, headers: Headers, receive: Receive
) -> Answered:
    """Store one task of the caller; answer with it, or with its end if they prefer to wait."""
    bounds = services.bounds
    bodies.require_json(headers)
    content = await bodies.read(receive, headers, bounds.body, bounds.body_s)
    raw = await bodies.parsed(content, bounds.depth + 1)
    check_shape(raw)
    kind = services.registry.known(raw["type"]) or await services.registry.find(raw["type"])
    request = _Request(services, principal, headers, content)
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
) -> Answered:
    services = request.services
    submission = check(raw, kind, services.registry.budgets, traceparent, services.bounds.payload)
    request.principal.check_task(submission.words["queue"], kind.name)
    user_id = request.principal.user_id
    headers: dict[str, str] = {}
    if b"idempotency-key" in request.headers:
        with pointing("/0", ""):
            (outcome,), replayed = await _store_once(request, [submission], strict=True)
        if replayed:
            headers["Idempotent-Replayed"] = "true"
    elif submission.apart:
        with pointing("/0", ""):
            (outcome,) = await store(services, user_id, [submission])
    else:
        id, created_at = await services.submitter.submit(submission.element, user_id)
        content = await as_stored(services, submission, id, created_at)
        return Answered(201, content, {"Location": f"/v1/tasks/{id}"})
    if isinstance(outcome, PgQueueError):
        raise outcome
    headers["Location"] = f"/v1/tasks/{outcome.id}"
    status = 200 if outcome.deduplicated else 201
    return Answered(status, outcome.content, headers, outcome.deduplicated)


async def submit_bulk(
    services: Services, principal: Principal, headers: Headers, receive: Receive
) -> Answered:
    """Store up to 1,000 tasks; each gets its own answer, in the order given.

    If any depends on others, all are stored or none, and what is wrong is raised.
    """
    bounds = services.bounds
    bodies.require_json(headers)
    content = await bodies.read(receive, headers, bounds.bulk_body, bounds.body_s)
    raw = await bodies.parsed(content, bounds.depth + 3)
    tasks = _tasks_of(raw)
    request = _Request(services, principal, headers, content)
    with telemetry.span_from(
        request.traceparent, "submit", {"pgqueue.tasks": len(tasks)}, kind="producer"
    ) as span:
        checked = await check_all(services, principal, tasks, span.traceparent)
        good = [one if isinstance(one, Submission) else None for one in checked]
        flow = any(isinstance(task, dict) and "depends_on" in task for task in tasks)
        if flow:  # what is asked decides: the task that depends on others may be the refused one
            good = [*all_or_none(checked)]
        extra: dict[str, str] = {}
        with pointing("", "/tasks"):
            if b"idempotency-key" in headers:
                stored, replayed = await _store_once(request, good, strict=flow)
                if replayed:
                    extra["Idempotent-Replayed"] = "true"
            else:
                stored = await store(services, principal.user_id, good)
    # the current error of a task says more than that it was refused before
    outcomes = [
        one if isinstance(one, PgQueueError) and not isinstance(outcome, Kept) else outcome
        for one, outcome in zip(checked, stored, strict=True)
    ]
    accepted = sum(isinstance(outcome, Kept) for outcome in outcomes)
    for outcome in outcomes:
        if isinstance(outcome, PgQueueError) and outcome.status >= 500 and not accepted:
            raise outcome
    items = [
        {"ok": False, "problem": problem_of(outcome)[1]}
        if isinstance(outcome, PgQueueError)
        else {"ok": True, "id": outcome.id, "task": orjson.Fragment(outcome.content)}
        for outcome in outcomes
    ]
    result = {"accepted": accepted, "refused": len(items) - accepted, "items": items}
    return Answered(200, orjson.dumps(result), extra)


def _tasks_of(raw: Any) -> list[Any]:
    if not isinstance(raw, dict) or set(raw) != {"tasks"} or not isinstance(raw["tasks"], list):
        raise Invalid('the body must be {"tasks": […]}', hint="see /docs")
    if not 1 <= len(raw["tasks"]) <= MAX_TASKS:
        raise Invalid(
            f"a request has 1 to {MAX_TASKS:,} tasks, this one has {len(raw['tasks']):,}",
            errors=[{"pointer": "/tasks", "message": f"pass 1 to {MAX_TASKS:,} tasks"}],
        )
    return raw["tasks"]


async def check_all(
    services: Services, principal: Principal, tasks: Sequence[Any], traceparent: str | None
) -> list[Submission | PgQueueError]:
    """Check each of several tasks; requests of others are answered meanwhile."""
    checked = []
    asked_at = asyncio.get_running_loop().time()
    turn = time.monotonic()
    for n, task in enumerate(tasks):
        one = await _check_one(
            services,
            principal=principal,
            raw=task,
            prefix=f"/tasks/{n}",
            traceparent=traceparent,
            asked_at=asked_at,
        )
        checked.append(one)
        if time.monotonic() - turn > _TURN_S:
            await asyncio.sleep(0)
            turn = time.monotonic()
    return checked


async def _check_one(
    services: Services,
    *,
    principal: Principal,
    raw: Any,
    prefix: str,
    traceparent: str | None,
    asked_at: float,
) -> Submission | PgQueueError:
    """Return the submission that a value is, or what is wrong with it."""
    try:
        check_shape(raw, prefix)
        registry = services.registry
        kind = registry.known(raw["type"]) or await registry.find(raw["type"], asked_at)
        one = check(
            raw, kind, registry.budgets, traceparent, services.bounds.payload, prefix=prefix
        )
        principal.check_task(one.words["queue"], kind.name)
        return one  # noqa: TRY300  it reads as one story
    except PgQueueError as error:
        if error.status >= 500:
            raise
        return error


async def _store_once(
    request: _Request, checked: Sequence[Submission | None], *, strict: bool
) -> tuple[list[Outcome], bool]:
    key, request_hash = _key(request.headers), hashlib.sha256(request.content).digest()
    user_id = request.principal.user_id
    return await store_once(request.services, user_id, key, request_hash, checked, strict=strict)


async def _wait(services: Services, preference: bytes, answer: Answered) -> None:
    seconds = wait_in(preference.decode("latin-1"), services.bounds.wait_s)
    if seconds is None:
        return
    id = answer.headers["Location"].rsplit("/", 1)[1]
    state = await services.hub.wait_for_end(id, seconds)
    if state is not None:
        answer.content = flagged(state, answer.deduplicated)
    answer.headers["Preference-Applied"] = f"wait={seconds:g}"


def _key(headers: Mapping[bytes, bytes]) -> str:
    key = headers[b"idempotency-key"].decode("latin-1")
    if not _KEY.fullmatch(key):
        raise Invalid(
            "the Idempotency-Key is not valid",
            errors=[
                {
                    "parameter": "Idempotency-Key",
                    "message": "use 1 to 255 ASCII characters",
                }
            ],
        )
    return key
