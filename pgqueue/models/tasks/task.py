"""What callers submit and read: ``NewTask``, ``Task`` and their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple, TypedDict, Unpack
from uuid import UUID

from pydantic import AwareDatetime, BeforeValidator, ConfigDict, Field

from pgqueue.models.base import (
    EXAMPLE_ID,
    NULLABLE_UUID_SCHEMA,
    UUID_SCHEMA,
    Anything,
    Count,
    Delay,
    Input,
    Key,
    Name,
    Page,
    Priority,
    QueueName,
    Record,
    Url,
    Uuid,
    Whole,
    examples,
)
from pgqueue.models.tasks.backoff import Backoff, RetryPolicy
from pgqueue.models.tasks.dependency import Dependencies, ParentInput
from pgqueue.models.tasks.options import (
    as_number,
    as_settings,
    check_together,
    given,
    sql_names,
    text_lists,
)
from pgqueue.models.tasks.status import Status, StatusName, TaskId

Tag = Annotated[str, Field(min_length=1, max_length=100)]


def _text(id: object) -> str | None:
    return None if id is None else str(id)


class TaskOptions(Input):
    """The options that a task and a schedule share."""

    payload: Any = Field(
        default_factory=dict,
        description="The input of the handler: any JSON value. It is checked against the schema of "
        "the type.",
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
        description="Cancel the task if it has not started within this many seconds; instead of "
        "`expires_at`.",
    )
    limit_key: Key | None = Field(
        default=None,
        description="The key whose limits it counts against, in addition to those of its queue.",
    )
    cost: Annotated[int, Field(ge=1, le=32_767), Whole] | None = Field(
        default=None, description="How much of each limit it uses; null: 1."
    )
    fairness_key: Key | None = Field(
        default=None,
        description="The key under which it takes turns in a fair queue; null: its user.",
    )
    tags: Annotated[list[Tag], Field(max_length=20)] | None = Field(
        default=None, description="Words to find it by."
    )


class TaskInput(TaskOptions):
    """A task to run."""

    model_config = examples({"type": "sleep", "payload": {"delay_ms": 2000}, "priority": "high"})

    type: Name = Field(description="The type of the task, which names its handler.")
    run_at: AwareDatetime | None = Field(
        default=None, description="Do not run it before this time (RFC 3339)."
    )
    delay_s: Delay | None = Field(
        default=None,
        description="Do not run it before this many seconds have passed; instead of `run_at`.",
    )
    expires_at: AwareDatetime | None = Field(
        default=None, description="Cancel it if it has not started by then (RFC 3339)."
    )
    callback_url: Url | None = Field(
        default=None,
        description="A URL that gets a signed POST when it ends: see docs/webhooks.md.",
    )
    dedup_key: Key | None = Field(
        default=None,
        description="While another task with this key counts, no second one is stored.",
    )
    dedup_scope: Literal["type", "queue"] | None = Field(
        default=None,
        description="Whether keys are separate for each type or for each queue; null: for each "
        "type.",
    )
    dedup_statuses: list[StatusName] | None = Field(
        default=None,
        min_length=1,
        json_schema_extra={"uniqueItems": True},
        description="The statuses in which the other task counts; null: all that are not final, "
        "and with a window `completed`, too.",
    )
    dedup_window_s: Annotated[float, Field(ge=0.001, le=1e9)] | None = Field(
        default=None,
        description="The other task counts only for this many seconds after its creation.",
    )
    on_conflict: Literal["return", "reject", "replace", "debounce"] | None = Field(
        default=None,
        description="`return`: answer with the other task. `reject`: answer with an error. "
        "`replace`: the other one, if it waits, takes this payload and time. `debounce`: the same, "
        "and it needs a delay.",
    )
    depends_on: Annotated[list[ParentInput], Field(max_length=1000)] | None = Field(
        default=None,
        description="The tasks that it waits for: ids, or positions among the tasks of this "
        "request, counted from 0. If any task of a request waits for others, all or none are "
        "stored.",
    )
    batch_id: Uuid | None = Field(default=None, description="An open batch that it joins.")


DEDUP = tuple(name for name in TaskInput.model_fields if name.startswith(("dedup", "on_conflict")))
"""The options of uniqueness, which need a ``dedup_key``."""


class Progress(Record):
    """How far the handler says it is."""

    percent: float | None = Field(description="0 to 100.")
    message: str | None
    at: datetime | None = Field(description="When the handler reported it.")


def _with_example(schema: dict[str, Any]) -> None:
    given = {"id": EXAMPLE_ID, "type": "sleep", "queue": "default", "priority": 2}
    more = {"payload": {"delay_ms": 2000}, "created_at": "2026-01-02T03:04:05.678901Z"}
    schema["examples"] = [{**JUST_STORED, **given, **more}]


class StoredOptions(Record):
    """The options that both a task and a schedule show."""

    timeout_s: float | None
    retry: RetryPolicy | None
    limit_key: str | None
    fairness_key: str | None


class StoredScheduleOptions(StoredOptions):
    """The options of a schedule's tasks, as it shows them; null: as their type says."""

    queue: str | None
    priority: int | None
    max_attempts: int | None
    expires_in_s: float | None
    cost: int | None
    tags: list[str] | None


class _Course(Record):
    """What a task is, and what becomes of it."""

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
    attempt: Count = Field(description="How many times it has started.")
    max_attempts: Count
    progress: Progress | None
    created_at: datetime = Field(description="When it was enqueued.")
    run_at: datetime | None = Field(
        description="It does not run before this time; null: it may run at once."
    )
    started_at: datetime | None = Field(description="When its latest attempt started.")
    finished_at: datetime | None = Field(description="When it ended.")
    next_retry_at: datetime | None = Field(description="When it is tried again.")
    crash_count: Count = Field(description="How many times a worker died while running it.")


class Task(StoredOptions, _Course):
    """A task as it stands."""

    model_config = ConfigDict(json_schema_extra=_with_example)

    cost: int
    tags: list[str]
    dedup_key: str | None
    expires_at: datetime | None = Field(
        description="It is cancelled if it has not started by then."
    )
    batch_id: Annotated[str | None, BeforeValidator(_text), NULLABLE_UUID_SCHEMA]
    callback_url: str | None


JUST_STORED: Mapping[str, Any] = {
    **dict.fromkeys(Task.model_fields),
    "status": "queued",
    "priority": 5,
    "attempt": 0,
    "max_attempts": 3,
    "crash_count": 0,
    "cost": 1,
    "tags": [],
}
"""What a task says of itself right after it was stored, unless its submit says otherwise."""


class SubmittedTask(Task):
    """A task as it stands, as the answer to a submit."""

    deduplicated: bool = Field(
        default=False,
        description="Whether it existed already; present only if a `dedup_key` was set.",
    )


class TaskPage(Page):
    """A page of tasks, newest first.

    It may hold fewer than you asked for, or none, and still have a next one: a page searches for
    half a second and holds 4 MiB at most.
    """

    items: list[Task]
    searched_until: datetime | None = Field(
        description="Every match created after that has been returned; null: there is no older one."
    )


class Enqueued(NamedTuple):
    """What became of a task with a key: its id, or the other's if that was ``deduplicated``."""

    id: TaskId
    deduplicated: bool


class RunOptions(TypedDict, total=False):
    """How a task runs: the options of a task, and of a schedule's tasks. None: as its type says.

    ``queue``, ``priority`` ("high", "normal", "low", or 0 to 10), ``max_attempts``, ``timeout`` of
    an attempt, ``retry``. A task that has not started ``expires_in`` from now is cancelled.
    ``limit_key``: whose limits it counts against beside its queue's; ``cost``: how much of each it
    takes, 1 if not given.
    ``fairness_key``: with whom it takes turns in a fair queue; its user if not given.
    ``tags``: up to 20 words of 1 to 100 characters to find it by.
    """

    queue: str | None
    priority: int | str | None
    max_attempts: int | None
    timeout: timedelta | float | None
    retry: Backoff | None
    expires_in: timedelta | float | None
    limit_key: str | None
    cost: int | None
    fairness_key: str | None
    tags: Sequence[str] | None


class UniqueOptions(RunOptions, total=False):
    """The options of a task that has a key.

    ``run_at`` and ``expires_at`` need a time zone, and exclude ``delay`` and ``expires_in``.
    ``depends_on``: the tasks that it waits for, each an id, a place (from 0) among those enqueued
    with it, or a ``Dependency``. ``batch_id``: an open batch that it joins.
    ``callback_url``: is told by a signed POST when it ends.
    The other options are those of its key: see docs/uniqueness.md.
    """

    run_at: datetime | None
    delay: timedelta | float | None
    expires_at: datetime | None
    callback_url: str | None
    depends_on: Dependencies | None
    batch_id: str | UUID | None
    dedup_scope: Literal["type", "queue"] | None
    dedup_statuses: Sequence[str] | None
    dedup_window: timedelta | float | None
    on_conflict: Literal["return", "reject", "replace", "debounce"] | None


class EnqueueOptions(UniqueOptions, total=False):
    """The options of ``enqueue`` and ``NewTask``: those of its two bases, and a key.

    ``dedup_key`` makes a task unique: see docs/uniqueness.md.
    """

    dedup_key: str | None


_NAMES = sql_names(EnqueueOptions)
_LISTS = text_lists(EnqueueOptions)


def number_option(name: str, value: Any) -> Any:
    """Return an option that is a number as SQL takes it, or raise ``UsageError``."""
    return None if value is None else as_number(name, value, TaskInput, _NAMES[name])


@dataclass(frozen=True, slots=True, init=False)
class NewTask:
    """A task to enqueue, with the options of ``EnqueueOptions``.

    ``payload`` is anything JSON can hold, or a value of the type that its handler takes, such as a
    pydantic model; ``{}`` if it is left out.
    """

    type: str
    payload: Any
    options: EnqueueOptions
    """Those that are not None."""

    def __init__(self, type: str, payload: Any = ..., **options: Unpack[EnqueueOptions]) -> None:
        object.__setattr__(self, "type", type)
        object.__setattr__(self, "payload", payload)
        object.__setattr__(self, "options", given("a task", options, _NAMES))

    def as_row(self, traceparent: str | None = None) -> dict[str, Any]:
        """Return the element that ``pgqueue.enqueue_many`` takes, or raise ``UsageError``."""
        row = {"type": self.type, "payload": {} if self.payload is ... else self.payload}
        if self.options:
            check_together(self.options.keys())
            row |= as_settings(self.options, _NAMES, _LISTS, TaskInput)
        if traceparent is not None:
            row["traceparent"] = traceparent
        return row
