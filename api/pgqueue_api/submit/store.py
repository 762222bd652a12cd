"""Storing checked tasks: each has an outcome of its own, however many share a call.

Tasks without a key share commits with those of other requests. Tasks with a key do not: a
transaction that uses a key waits for others that use it, and unrelated tasks must not wait, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pgqueue.errors import Duplicate, NotFound, PgQueueError
from pgqueue_api.problems import Invalid, KeyInFlight, KeyReused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pgqueue_api.submit.services import Services
    from pgqueue_api.submit.submission import Submission

__all__ = ["Kept", "Outcome", "as_stored", "flagged", "store", "store_once"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A task as it is answered; ``deduplicated`` is None for a task without a ``dedup_key``."""

    id: str
    content: bytes
    deduplicated: bool | None = None


_HITS = ("returned", "replaced")

Outcome = Kept | PgQueueError


def flagged(state: bytes, deduplicated: bool | None) -> bytes:  # noqa: FBT001  None: not asked
    """Add to a task's JSON whether it existed before."""
    if deduplicated is None:
        return state
    return b'{"deduplicated":%s,%s' % (b"true" if deduplicated else b"false", state[1:])


async def store(
    services: Services, user_id: int, checked: Sequence[Submission | None]
) -> list[Outcome]:
    """Store tasks of a user, each by itself, and return an outcome for each.

    None stands for a refused one.

    If any waits for others, all are stored or none, and what is wrong with one is raised.
    """
    if any(one is not None and one.dependent for one in checked):
        return await _store_together(
            services, user_id, [one for one in checked if one is not None], strict=True
        )
    futures = [
        services.submitter.submit(one.element, user_id)
        if one is not None and not one.apart
        else None
        for one in checked
    ]
    keyed = [one for one in checked if one is not None and one.apart]
    with_key = iter(await _store_keyed(services, user_id, keyed))
    outcomes: list[Outcome] = []
    limited: dict[str, int] = {}
    for n, (one, future) in enumerate(zip(checked, futures, strict=True)):
        if one is None:
            outcomes.append(Invalid())
            continue
        if future is None:
            outcomes.append(next(with_key))
            continue
        try:
            id, created_at = await future
            outcomes.append(Kept(id, one.as_task(id, created_at)))
            if one.limit_key is not None:
                limited[id] = n
        except PgQueueError as error:
            outcomes.append(error)
    for id, state in (await _states(services, list(limited))).items():
        outcomes[limited[id]] = Kept(id, state)
    return outcomes


async def as_stored(services: Services, one: Submission, id: str, created_at: str) -> bytes:
    """Return a task as it stands now that it was stored.

    Only the database knows whether a task with a limit_key waits for it.
    """
    if not one.unsettled:
        return one.as_task(id, created_at)
    return (await _states(services, [id]))[id]


async def _store_together(
    services: Services, user_id: int, submissions: Sequence[Submission], *, strict: bool
) -> list[Outcome]:
    parameters = {"tasks": _elements(submissions), "strict": strict, "user_id": user_id}
    row = await services.keyed.row("submit_unique", parameters)
    assert row is not None
    services.doorbell.ring(row["queues"], row["ids"])
    hits = _hits(row["ids"], row["verdicts"])
    states = await _states(services, hits + _limited(submissions, row["ids"]))
    return [
        _outcome(one, id, row["created_at"], verdict, states)
        for one, id, verdict in zip(submissions, row["ids"], row["verdicts"], strict=True)
    ]


async def _store_keyed(
    services: Services, user_id: int, submissions: Sequence[Submission]
) -> list[Outcome]:
    if not submissions:
        return []
    try:
        return await _store_together(services, user_id, submissions, strict=False)
    except PgQueueError as error:
        if len(submissions) == 1 or error.status >= 500:
            return [error] * len(submissions)
        # one of them is wrong: store by halves, so that it alone is refused
        middle = len(submissions) // 2
        return [
            *await _store_keyed(services, user_id, submissions[:middle]),
            *await _store_keyed(services, user_id, submissions[middle:]),
        ]


async def store_once(
    services: Services,
    user_id: int,
    key: str,
    request_hash: bytes,
    checked: Sequence[Submission | None],
    *,
    strict: bool,
) -> tuple[list[Outcome], bool]:
    """Store tasks under an Idempotency-Key of a user; None stands for one that was refused.

    Return an outcome for each, and whether they were stored before. With ``strict`` a task whose
    ``dedup_key`` another task has raises, and leaves the Idempotency-Key free.
    """
    good = [one for one in checked if one is not None]
    keyed = any(one.apart for one in good)
    row = await (services.keyed if keyed else services.writes).row(
        "submit_idempotent",
        {
            "key": key,
            "request_hash": request_hash,
            "tasks": _elements(good),
            "places": [n for n, one in enumerate(checked, 1) if one is not None],
            "asked": len(checked),
            "strict": strict,
            "user_id": user_id,
        },
    )
    assert row is not None
    if row["verdict"] == "in_flight":
        raise KeyInFlight(hint="wait for its answer, or ask again in a moment")
    if row["verdict"] == "reused":
        raise KeyReused(hint="use a new key for a new request")
    ids, verdicts = row["ids"], row["verdicts"] or [None] * len(checked)
    if row["queues"]:
        services.doorbell.ring(row["queues"], [id for id in ids if id])
    replayed = row["verdict"] == "replayed"
    hits = [id for id in ids if id] if replayed else _hits(ids, verdicts)
    states = await _states(services, hits + _limited(checked, ids))
    outcomes: list[Outcome] = []
    for one, id, verdict in zip(checked, ids, verdicts, strict=True):
        if id is None:
            outcomes.append(Invalid("the first request with this Idempotency-Key refused it"))
        else:
            outcomes.append(_outcome(one, id, row["created_at"], verdict, states))
    return outcomes, replayed


def _outcome(
    one: Submission | None,
    id: str,
    created_at: str,
    verdict: str | None,
    states: Mapping[str, bytes],
) -> Outcome:
    if verdict == "rejected":
        return Duplicate(
            f"task {id} has this dedup_key already",
            task_id=id,
            hint=f"GET /v1/tasks/{id} shows it",
        )
    deduplicated = verdict in _HITS
    known = deduplicated if deduplicated or (one and one.dedup_key is not None) else None
    if one is None or id in states:
        return Kept(id, flagged(states[id], known), known)
    return Kept(id, flagged(one.as_task(id, created_at), known), known)


def _elements(submissions: Sequence[Submission]) -> str:
    return (b"[" + b",".join(one.element for one in submissions) + b"]").decode()


def _hits(ids: Sequence[str | None], verdicts: Sequence[str | None]) -> list[str]:
    """Return the ids of tasks that existed before, or earlier in this request."""
    return [id for id, verdict in zip(ids, verdicts, strict=True) if id and verdict in _HITS]


def _limited(submissions: Sequence[Submission | None], ids: Sequence[str | None]) -> list[str]:
    """Return the ids of tasks that may wait, for their keys or for other tasks."""
    return [
        id
        for one, id in zip(submissions, ids, strict=True)
        if one is not None and id and one.unsettled
    ]


async def _states(services: Services, ids: Sequence[str]) -> dict[str, bytes]:
    if not ids:
        return {}
    rows = await services.writes.rows("task_states", {"ids": ids})
    states = {row["id"]: row["state"].encode() for row in rows}
    if len(states) < len(set(ids)):
        raise NotFound("the tasks of this Idempotency-Key have been pruned")
    return states
