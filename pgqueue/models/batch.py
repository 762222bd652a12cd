"""Batches: tasks that belong together, counted as one; and the graph of tasks that wait."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, SkipValidation

from pgqueue.models.base import Count, Input, Page, Record, Url, Uuid, examples
from pgqueue.models.tasks.task import Task, TaskInput

__all__ = [
    "Batch",
    "BatchInput",
    "BatchPage",
    "BatchStatus",
    "BatchTaskIds",
    "BatchTasks",
    "BatchTasksInput",
    "Graph",
]

_Task = SkipValidation[TaskInput]
"""Each task is checked by itself, so that errors point into it."""

_Callback = Annotated[
    _Task | None,
    Field(
        description="A task that is enqueued at most once, when the batch ends. Without a payload "
        "it gets the id, name, outcome and counts of the batch."
    ),
]


class BatchStatus(StrEnum):
    """The status of a batch."""

    OPEN = "open"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether a batch in this status has ended."""
        return self not in (BatchStatus.OPEN, BatchStatus.RUNNING)


class BatchInput(Input):
    """Tasks that belong together."""

    model_config = examples(
        {
            "name": "invoices",
            "tasks": [{"type": "noop"}, {"type": "noop", "depends_on": [0]}],
            "on_success": {"type": "noop", "payload": {}},
        }
    )

    name: Annotated[str, Field(min_length=1, max_length=200)]
    tasks: Annotated[list[_Task], Field(max_length=1000)] = Field(
        default_factory=list, description="Its tasks. Without them the batch is open."
    )
    open: bool = Field(
        default_factory=lambda: False,
        description="Whether more tasks will be added; by default only if there are no `tasks`.",
    )
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="Any object; it is stored with the batch."
    )
    parent_id: Uuid | None = Field(
        default=None, description="An open batch that this one belongs to."
    )
    on_success: _Callback = None
    on_failure: _Callback = None
    on_complete: _Callback = None
    callback_url: Url | None = Field(
        default=None,
        description="A URL that gets a signed POST when it ends: see docs/webhooks.md.",
    )


class BatchTasksInput(Input):
    """Up to 1,000 tasks."""

    model_config = examples({"tasks": [{"type": "noop"}]})

    tasks: Annotated[list[_Task], Field(min_length=1, max_length=1000)]


class Batch(Record):
    """A batch as it stands."""

    id: Uuid
    name: str
    status: BatchStatus = Field(
        description="`open`: tasks may be added. `running`: it is closed. Then how it ended: "
        "`completed` only if every task in it completed."
    )
    metadata: dict[str, Any]
    callback_url: str | None
    parent_id: Uuid | None
    total: Count = Field(description="How many tasks it has.")
    waiting: Count = Field(
        description="How many of them have not started yet, or will be tried again."
    )
    active: Count
    completed: Count
    failed: Count
    cancelled: Count
    batches: Count = Field(description="How many batches belong to it.")
    batches_ended: Count
    batches_failed: Count = Field(description="How many of these ended without completing.")
    percent: Annotated[float, Field(ge=0, le=100)] = Field(
        description="The share of its tasks and batches that have ended."
    )
    success_task_id: Uuid | None = Field(description="The task that `on_success` enqueued.")
    failure_task_id: Uuid | None
    complete_task_id: Uuid | None
    created_at: datetime
    closed_at: datetime | None = Field(description="Since when no task can be added.")
    cancelled_at: datetime | None = Field(description="When the whole batch was cancelled.")
    ended_at: datetime | None = Field(description="When everything in it had ended.")


class BatchPage(Page):
    """A page of batches, latest first."""

    items: list[Batch]


class BatchTasks(Page):
    """A page of a batch's tasks, in the order of creation.

    With a filter it may hold fewer tasks than asked for, or none, and still have a `next`.
    """

    items: list[Task]


class BatchTaskIds(Record):
    """The ids of the tasks, in the order of the request."""

    ids: list[Uuid]


class GraphNode(Record):
    """A task of the graph."""

    id: Uuid
    type: str
    queue: str
    status: str
    status_reason: str | None
    batch_id: Uuid | None


class GraphEdge(Record):
    """A task that waits for another."""

    from_: Uuid = Field(alias="from", description="The task that is waited for.")
    to: Uuid = Field(description="The task that waits.")
    on_failure: Literal["cancel", "run", "fail"]


class Graph(Record):
    """The tasks that a task waits for and those that wait for it, near and far."""

    task_id: Uuid
    nodes: list[GraphNode]
    edges: list[GraphEdge]
    truncated: bool = Field(
        description="There are more: at most 1,000 tasks and 10,000 edges are shown."
    )
