"""What callers submit and read: ``NewTask``, ``Task`` and their words."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, NewType
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
)

from pgqueue.errors import UsageError
from pgqueue.models.base import (
    EXAMPLE_ID,
    NULLABLE_UUID_SCHEMA,
    QUEUE_NAME,
    UUID_SCHEMA,
    Anything,
    Count,
    Input,
    Key,
    Name,
    Page,
    Record,
    Url,
    Uuid,
    Whole,
    examples,
)
from pgqueue.models.tasks.backoff import Backoff, RetryPolicy
from pgqueue.models.values import check_time, parse_priority

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TaskId = NewType("TaskId", str)
LeaseId = NewType("LeaseId", int)

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


StatusName = Literal[
    "scheduled", "queued", "blocked", "active", "retrying", "completed", "failed", "cancelled"
]

_LONGEST_DELAY_S = 10 * 365 * 86_400

QueueName = Annotated[str, Field(pattern=QUEUE_NAME)]
Priority = Annotated[
    Annotated[int, Field(ge=0, le=10), Whole] | Literal["high", "normal", "low"] | None,
    Field(description="0 (first) to 10 (last); high is 2, normal is 5, low is 8."),
]
Delay = Annotated[float, Field(ge=0, le=_LONGEST_DELAY_S)]
_Place = Annotated[int, Field(ge=0, le=999), Whole]


class TaskOptions(Input):
    """What a task and a schedule of such tasks may say alike."""

    payload: dict[str, Any] = Field(
        default_factory=dict,
        description="What the handler is given. It is checked against the schema of the type.",
    )
    queue: QueueName | None = Field(default=None, description="null: the queue of the type.")
    priority: Priority = None
    max_attempts: Annotated[int, Field(ge=1, le=1000), Whole] | None = None
    timeout_s: Annotated[float, Field(gt=0.001, le=30 * 86_400)] | None = Field(
        default=None, description="How long an attempt may take."
    )
    retry: RetryPolicy | None = None
    expires_in_s: Delay | None = Field(
        default=None,
        description="Cancel the task if it has not started so many seconds from now; instead of "
        "`expires_at`.",
    )
    limit_key: Key | None = Field(
        default=None, description="Whose limits it counts against, beside those of its queue."
    )
    cost: Annotated[int, Field(ge=1, le=32_767), Whole] | None = Field(
        default=None, description="How much of each limit it takes; null: 1."
    )
    fairness_key: Key | None = Field(
        default=None,
        description="With whom it takes turns in a fair queue; null: with the tasks of its user.",
    )


class DependencyInput(Input):
    """A task to wait for."""

    task: Uuid | _Place
    on_failure: Literal["cancel", "run", "fail"] = Field(
        default="cancel",
        description="What happens to the waiting task when that one fails or is cancelled.",
    )


class TaskInput(TaskOptions):
    """A task to run."""

    model_config = examples({"type": "sleep", "payload": {"delay_ms": 2000}, "priority": "high"})

    type: Name = Field(description="Which handler runs it.")
    run_at: AwareDatetime | None = Field(
        default=None, description="Do not run it before this time (RFC 3339)."
    )
    delay_s: Delay | None = Field(
        default=None,
        description="Do not run it before so many seconds from now; instead of `run_at`.",
    )
    expires_at: AwareDatetime | None = Field(
        default=None, description="Cancel it if it has not started by then (RFC 3339)."
    )
    callback_url: Url | None = Field(
        default=None, description="Told by a signed POST when it ends: see docs/webhooks.md."
    )
    dedup_key: Key | None = Field(
        default=None,
        description="While another task with this key counts, no second one is stored.",
    )
    dedup_scope: Literal["type", "queue"] | None = Field(
        default=None, description="Keys of different types, or queues, are different; null: types."
    )
    dedup_statuses: list[StatusName] | None = Field(
        default=None,
        min_length=1,
        json_schema_extra={"uniqueItems": True},
        description="The statuses in which the other one counts; null: all that are not final, and "
        "with a window `completed`, too.",
    )
    dedup_window_s: Annotated[float, Field(ge=0.001, le=1e9)] | None = Field(
        default=None,
        description="The other one counts for so many seconds after it was created.",
    )
    on_conflict: Literal["return", "reject", "replace", "debounce"] | None = Field(
        default=None,
        description="`return`: answer with the other task. `reject`: answer with an error. "
        "`replace`: the other one, if it waits, takes this payload and time. `debounce`: the same, "
        "and it needs a delay.",
    )
    depends_on: Annotated[list[Uuid | _Place | DependencyInput], Field(max_length=1000)] | None = (
        Field(
            default=None,
            description="The tasks that it waits for: ids, or places among the tasks of this "
            "request, counted from 0. If any task of a request waits for others, all or none are "
            "stored.",
        )
    )
    batch_id: Uuid | None = Field(default=None, description="An open batch that it joins.")


DEDUP = tuple(name for name in TaskInput.model_fields if name.startswith(("dedup", "on_conflict")))
"""The words about uniqueness, which need a ``dedup_key``."""


class Progress(Record):
    """How far the handler says it is."""

    percent: float | None = Field(description="0 to 100.")
    message: str | None
    at: datetime | None = Field(description="When the handler said so.")


def _with_example(schema: dict[str, Any]) -> None:
    given = {"id": EXAMPLE_ID, "type": "sleep", "queue": "default", "priority": 2}
    more = {"payload": {"delay_ms": 2000}, "created_at": "2026-01-02T03:04:05.678901Z"}
    schema["examples"] = [{**JUST_STORED, **given, **more}]


class Task(Record):
    """A task as it stands."""

    model_config = ConfigDict(json_schema_extra=_with_example)

    id: Annotated[TaskId, UUID_SCHEMA]
    type: Name
    queue: str
    status: Status
    status_reason: str | None = Field(description="Why it is in this status, in plain words.")
    priority: int
    payload: Anything
    result: Any = Field(description="What the handler returned; null until it has completed.")
    error: Any = Field(
        description="Why it failed: an object of `type`, `message` and `traceback`; null otherwise."
    )
    attempt: Count = Field(description="How often it has started.")
    max_attempts: Count
    progress: Progress | None
    created_at: datetime = Field(description="When it was enqueued.")
    run_at: datetime | None = Field(description="Not run before this time; null: at once.")
    started_at: datetime | None = Field(description="When its latest attempt started.")
    finished_at: datetime | None = Field(description="When it ended.")
    next_retry_at: datetime | None = Field(description="When it is tried again.")
    crash_count: Count = Field(description="How often a worker died while running it.")
    timeout_s: float | None
    retry: RetryPolicy | None
    dedup_key: str | None
    expires_at: datetime | None = Field(
        description="It is cancelled if it has not started by then."
    )
    fairness_key: str | None
    batch_id: Annotated[str | None, BeforeValidator(_text), NULLABLE_UUID_SCHEMA]
    limit_key: str | None
    cost: int
    callback_url: str | None


JUST_STORED: Mapping[str, Any] = {
    **dict.fromkeys(Task.model_fields),
    "status": "queued",
    "priority": 5,
    "attempt": 0,
    "max_attempts": 3,
    "crash_count": 0,
    "cost": 1,
}
"""What a task says of itself right after it was stored, unless its submit says otherwise."""


class SubmittedTask(Task):
    """A task as it stands, as the answer to a submit."""

    deduplicated: bool = Field(
        default=False,
        description="Whether it existed already; only there if a `dedup_key` was given.",
    )


class TaskPage(Page):
    """A page of tasks, newest first.

    It may hold fewer than you asked for, or none, and still have a next one: a page searches for
    half a second and holds 4 MiB at most.
    """

    items: list[Task]
    searched_until: datetime | None = Field(
        description="Every match created since then has been returned; null: there is no older one."
    )


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
        """Return the element that ``pgqueue.enqueue_many`` takes, or raise ``UsageError``."""
        _check_times("run_at", self.run_at, "delay", self.delay)
        _check_times("expires_at", self.expires_at, "expires_in", self.expires_in)
        if self.dedup_key is None and any(getattr(self, name) is not None for name in _DEDUP):
            message = "a task without a dedup_key cannot be kept unique"
            raise UsageError(message, hint="give it one, or leave the other dedup words out")
        row = {"type": self.type, "payload": {} if self.payload is None else self.payload}
        for name, key in _OPTIONS:
            value = getattr(self, name)
            if value is not None:
                row[key] = _as_json(value)
        if self.priority is not None:
            row["priority"] = parse_priority(self.priority)
        if self.depends_on is not None:
            row["depends_on"] = _parents(self.depends_on)
        if traceparent is not None:
            row["traceparent"] = traceparent
        return row


_DEDUP = ("dedup_scope", "dedup_statuses", "dedup_window", "on_conflict")
_IN_SECONDS = frozenset(("delay", "timeout", "expires_in", "dedup_window"))
_OPTIONS = [  # and how enqueue_many names them: durations are in seconds, by the database's clock
    (field.name, f"{field.name}_s" if field.name in _IN_SECONDS else field.name)
    for field in fields(NewTask)
    if field.name not in ("type", "payload", "priority", "depends_on")
]


def _as_json(value: object) -> object:
    if type(value) is str or type(value) is int:
        return value
    if isinstance(value, Backoff):
        return value.as_policy()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


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
