"""Many tasks in one request, and what became of each."""

from __future__ import annotations

from typing import NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from pgqueue.models.base import Count, Input, Record, Uuid, examples
from pgqueue.models.problem import Problem
from pgqueue.models.tasks.task import SubmittedTask, TaskInput

__all__ = ["MAX_TASKS", "Bulk", "BulkItem", "BulkResult"]

MAX_TASKS = 1000


class Bulk(Input):
    """Up to 1,000 tasks."""

    model_config = examples(
        {"tasks": [{"type": "noop"}, {"type": "sleep", "payload": {"delay_ms": 100}}]}
    )

    tasks: list[TaskInput] = Field(min_length=1, max_length=MAX_TASKS)


class BulkItem(TypedDict):
    """A task, or the problem with it."""

    ok: bool
    id: NotRequired[Uuid]
    task: NotRequired[SubmittedTask]
    problem: NotRequired[Problem]


class BulkResult(Record):
    """The outcome for each task."""

    accepted: Count
    refused: Count
    items: list[BulkItem] = Field(description="One for each task, in the order of the request.")
