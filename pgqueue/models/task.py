"""What callers submit and read: ``NewTask``, ``Task`` and their words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, NewType

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pgqueue.errors import UsageError
from pgqueue.models.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

TaskId = NewType("TaskId", str)
LeaseId = NewType("LeaseId", int)

type_names = "high, normal, low or 0 (first) to 10 (last)"

PRIORITIES = {"high": 2, "normal": 5, "low": 8}

FINAL = frozenset({"completed", "failed", "cancelled"})


class Status(StrEnum):
    """Where a task is."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    BLOCKED = "blocked"
    ACTIVE = "active"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether a task in this status has ended."""
        return self in FINAL


class Outcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    RELEASED = "released"
    SNOOZED = "snoozed"


def _text(id: object) -> str | None:
    return None if id is None else str(id)


class Progress(BaseModel):
    """How far a handler says it is: ``percent`` from 0 to 100."""

    percent: float
    message: str | None = None
    at: datetime


class Task(BaseModel):
    """A task as it stands, with the same words as the view ``pgqueue.tasks``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: TaskId
    type: str
    queue: str
    status: Status
    status_reason: str | None
    priority: int
    payload: Any
    result: Any
    error: Any
    attempt: int
    max_attempts: int
    progress: Progress | None
    created_at: datetime
    run_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    next_retry_at: datetime | None
    crash_count: int = Field(default=0)
    timeout_s: float | None = Field(default=None)
    retry: dict[str, Any] | None = Field(default=None)
    expires_at: datetime | None = Field(default=None)
    dedup_key: str | None = Field(default=None)
    fairness_key: str | None = Field(default=None)
    limit_key: str | None = Field(default=None)
    callback_url: str | None = Field(default=None)
    cost: int = Field(default=1)
    batch_id: Annotated[str | None, BeforeValidator(_text)] = Field(default=None)


class Dependency(NamedTuple):
    """A task to wait for, by its id or its place, and what happens when it does not complete.

    ``on_failure``: "cancel" the one that waits, "fail" it, or "run" it all the same.
    """

    task: str | UUID | int
    on_failure: Literal["cancel", "run", "fail"] = "cancel"


class Enqueued(NamedTuple):
    """What became of a task with a key: its id, or the other's if that was ``deduplicated``."""

    id: TaskId
    deduplicated: bool


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task to enqueue. What is ``None`` comes from its type.

    ``payload`` is anything JSON can hold, or a pydantic model; ``run_at`` and ``expires_at`` need a
    time zone. A task that has not started by ``expires_at``, or ``expires_in`` from now, is
    cancelled.
    ``limit_key``: whose limits it counts against beside its queue's; ``cost``: how much of each it
    takes, 1 if not given.
    ``fairness_key``: with whom it takes turns in a fair queue; its user if not given.
    ``depends_on``: the tasks that it waits for, each an id, a place (from 0) among those enqueued
    with it, or a ``Dependency``. ``batch_id``: an open batch that it joins.
    ``callback_url``: is told by a signed POST when it ends.
    ``dedup_key`` makes it unique: see docs/uniqueness.md for it and the words that go with it.
    """

    type: str
    payload: Any = None
    queue: str | None = None
    priority: int | str | None = None
    run_at: datetime | None = None
    delay: timedelta | float | None = None
    max_attempts: int | None = None
    timeout: timedelta | float | None = None
    retry: Backoff | None = None
    expires_at: datetime | None = None
    expires_in: timedelta | float | None = None
    fairness_key: str | None = None
    limit_key: str | None = None
    callback_url: str | None = None
    cost: int | None = None
    depends_on: Sequence[str | UUID | int | Dependency] | None = None
    batch_id: str | UUID | None = None
    dedup_key: str | None = None
    dedup_scope: Literal["type", "queue"] | None = None
    dedup_statuses: Sequence[str] | None = None
    dedup_window: timedelta | float | None = None
    on_conflict: Literal["return", "reject", "replace", "debounce"] | None = None

    def as_row(self, traceparent: str | None = None) -> dict[str, Any]:
        """Give the element that ``pgqueue.enqueue_many`` takes, or raise ``UsageError``."""
        _check_times("run_at", self.run_at, "delay", self.delay)
        _check_times("expires_at", self.expires_at, "expires_in", self.expires_in)
        row: dict[str, Any] = {
            "type": self.type,
            "payload": {} if self.payload is None else self.payload,
            "queue": self.queue,
            "priority": parse_priority(self.priority),
            "run_at": self.run_at.isoformat() if self.run_at else None,
            "delay_s": seconds(self.delay),  # by the database's clock
            "max_attempts": self.max_attempts,
            "timeout_s": seconds(self.timeout),
            "retry": self.retry and self.retry.as_policy(),
            "expires_at": self.expires_at.isoformat() if self.expires_at else None,
            "expires_in_s": seconds(self.expires_in),
            "fairness_key": self.fairness_key,
            "limit_key": self.limit_key,
            "callback_url": self.callback_url,
            "cost": self.cost,
            "depends_on": _parents(self.depends_on),
            "batch_id": None if self.batch_id is None else str(self.batch_id),
            "traceparent": traceparent,
        }
        if self.dedup_key is not None:
            row |= {
                "dedup_key": self.dedup_key,
                "dedup_scope": self.dedup_scope,
                "dedup_statuses": self.dedup_statuses and [*self.dedup_statuses],
                "dedup_window_s": seconds(self.dedup_window),
                "on_conflict": self.on_conflict,
            }
        elif (
            self.on_conflict or self.dedup_window or self.dedup_statuses or self.dedup_scope
        ) is not None:
            message = "a task without a dedup_key cannot be kept unique"
            raise UsageError(message, hint="give it one, or leave the other dedup words out")
        return {name: value for name, value in row.items() if value is not None}


def _parents(given: Sequence[str | UUID | int | Dependency] | None) -> list[Any] | None:
    if given is None:
        return None
    if isinstance(given, str | bytes):
        message = "depends_on is a text"
        raise UsageError(message, hint="give a list of ids, places or Dependency")
    return [
        {"task": _parent(one.task), "on_failure": one.on_failure}
        if isinstance(one, Dependency)
        else _parent(one)
        for one in given
    ]


def _parent(task: str | UUID | int) -> str | int:
    return task if isinstance(task, int) else str(task)


def _check_times(
    name: str, at: datetime | None, other: str, within: timedelta | float | None
) -> None:
    if at is not None and within is not None:
        message = f"{name} and {other} are both given"
        raise UsageError(message, hint="give one of them")
    check_time(at, name)


def check_time(at: datetime | None, name: str = "run_at") -> None:
    """Raise ``UsageError`` for a time without a time zone."""
    if at is not None and at.tzinfo is None:
        message = f"{name} {at.isoformat()} has no time zone"
        raise UsageError(message, hint="use an aware datetime, such as datetime.now(UTC) + …")


def parse_priority(value: int | str | None) -> int | None:
    """Give a priority as its number; ``UsageError`` for any other word or number."""
    if value is None:
        return None
    number = PRIORITIES.get(value) if isinstance(value, str) else value
    if number is None or isinstance(number, bool) or not 0 <= number <= 10:
        message = f"priority {value!r} is none"
        raise UsageError(message, hint=f"it is {type_names}")
    return number


def seconds(value: timedelta | float | None) -> float | None:
    """Give a duration in seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else value


def encode(value: object) -> bytes:
    """Give a value as the JSON that PostgreSQL can store, pydantic models and dataclasses included.

    Raises ``UsageError`` for what JSON or PostgreSQL's jsonb cannot hold: unknown types, lone
    surrogates, integers beyond 64 bits, NUL characters, nesting too deep.
    """
    try:
        encoded = orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError, RecursionError) as error:
        message = f"this cannot be stored as JSON: {error}"
        raise UsageError(message, hint="use what JSON has, or a pydantic model") from error
    if b"\\u0000" in encoded and _has_nul(orjson.loads(encoded)):
        message = "this cannot be stored as JSON: PostgreSQL takes no NUL characters"
        raise UsageError(message, hint="remove them, or encode bytes as base64")
    return encoded


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    if isinstance(value, timedelta):
        return value.total_seconds()
    message = f"{type(value).__name__} is not JSON"
    raise TypeError(message)


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(k) or _has_nul(v) for k, v in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))
