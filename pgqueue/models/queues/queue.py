"""Queues: how they stand, and their settings."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, with_config
from typing_extensions import TypedDict

from pgqueue.models.base import INPUT, Count, Input, Key, Record, Whole, examples
from pgqueue.models.queues.limit import Concurrency, PerKeyLimit, Rates, SlowedUntil
from pgqueue.models.queues.retention import RetentionSettings
from pgqueue.models.tasks.backoff import RetryPolicy


@with_config(INPUT)
class Fairness(TypedDict, total=False):
    """Tasks of one priority start in turns of their fairness keys."""

    weights: Annotated[
        dict[Key, Annotated[int, Field(ge=1, le=100), Whole]],
        Field(
            max_length=1000,
            description="How many tasks of a key start in its turn, where it is not 1.",
        ),
    ]


_MaxAttempts = Annotated[
    Annotated[int, Field(ge=1, le=1000), Whole] | None, Field(description="null: 3.")
]
_Ageing = Annotated[
    Annotated[float, Field(ge=0.001, le=1e9)] | None,
    Field(
        description="How many seconds a task waits for each step of priority that it gains; "
        "null: it gains none."
    ),
]
_Who = Annotated[str, Field(max_length=200)]
_Why = Annotated[str, Field(max_length=1000)]
_Fairness = Annotated[Fairness | None, Field(description="null: tasks do not take turns.")]


class QueueSettings(Input):
    """The settings of a queue, for tasks and types without settings of their own."""

    model_config = examples({"max_attempts": 5, "retry": {"kind": "linear", "base_s": 30}})

    max_attempts: _MaxAttempts = None
    retry: RetryPolicy | None = None
    ageing_s: _Ageing = None
    concurrency: Concurrency = None
    rate: Rates = None
    per_key: PerKeyLimit = None
    slowed_until: SlowedUntil = None
    fairness: _Fairness = None
    retention: RetentionSettings | None = None
    paused: bool | None = Field(default=None, description="No task starts while this is true.")
    paused_by: _Who | None = None
    paused_reason: _Why | None = None


class Queue(Record):
    """A queue and its settings.

    The counts are sampled every few seconds; `state` and `still_running` are of this moment.
    """

    name: str
    queued: Count
    scheduled: Count
    retrying: Count
    blocked: Count
    active: Count
    oldest_queued_at: datetime | None
    workers: Count = Field(description="How many active workers serve it.")
    dead_letters: Count
    sampled_at: datetime | None = Field(
        description="When the counts were taken; null: they have not been taken yet."
    )
    created_at: datetime | None
    version: Count = Field(description="The version of the settings: the ETag without its quotes.")
    max_attempts: _MaxAttempts
    retry: RetryPolicy | None
    ageing_s: _Ageing
    concurrency: Concurrency
    rate: Rates
    per_key: PerKeyLimit
    slowed_until: datetime | None = Field(description="No task starts before this time.")
    slowed_reason: str | None = Field(
        description="The reason that the handler gave for slowing the queue."
    )
    fairness: _Fairness
    retention: RetentionSettings | None
    paused: bool
    paused_at: datetime | None = Field(description="When it was paused; null: it is not paused.")
    paused_by: _Who | None
    paused_reason: _Why | None
    state: Literal["active", "draining", "paused"] = Field(
        description="`draining`: it is paused, and some of its tasks still run."
    )
    still_running: Count | None = Field(
        description="How many tasks of a paused queue still run; null: it is not paused."
    )


class Queues(Record):
    """The queues, by name."""

    items: list[Queue]


class Scale(Record):
    """How many tasks the workers of a queue should be able to run at once."""

    queue: str
    at: datetime
    wanted: Count = Field(
        description="How many slots the queue wants: one for each task that runs, and one for each "
        "that could start. While none has waited for `patience_s`, no more than there are. Scale "
        "by this number."
    )
    active: Count = Field(description="How many slots are taken.")
    backlog: Count = Field(description="How many tasks are runnable or due, at most 10,000.")
    backlog_exact: bool = Field(description="false: there are more.")
    startable: Count = Field(
        description="How many tasks of the backlog could start now by their limits and pauses."
    )
    wait_s: float = Field(ge=0, description="How long the first of these has waited.")
    workers: Count = Field(description="How many live worker processes serve the queue.")
    slots: Count = Field(description="How many tasks these processes run at once.")
