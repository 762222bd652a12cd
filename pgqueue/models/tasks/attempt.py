"""What the attempts of a task leave: themselves, checkpoints, log lines, text and files."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from pgqueue.models.base import Anything, Count, Page, Record, Uuid

__all__ = [
    "ArtifactRecord",
    "Artifacts",
    "AttemptRecord",
    "Attempts",
    "CheckpointRecord",
    "Checkpoints",
    "Log",
    "Logs",
    "Text",
]


class AttemptRecord(Record):
    """One attempt of a task."""

    task_id: Uuid
    lease_id: int
    attempt: Count
    outcome: (
        Literal["completed", "failed", "timed_out", "crashed", "cancelled", "released", "snoozed"]
        | None
    ) = Field(description="null while it runs.")
    final: bool = Field(description="Whether it ended the task.")
    result: Anything
    error: Anything
    worker: str | None
    started_at: datetime | None
    finished_at: datetime | None


class Attempts(Record):
    """Every attempt of a task, latest first."""

    items: list[AttemptRecord]


class CheckpointRecord(Record):
    """A value that later attempts can read."""

    name: str = Field(description="The name of the step; empty for `ctx.checkpoint`.")
    attempt: Count = Field(description="The attempt that saved it.")
    lease_id: int
    at: datetime | None
    size: Count = Field(description="The size of the data as JSON, in bytes.")
    data: Anything


class Checkpoints(Record):
    """What the task has stored, by name."""

    items: list[CheckpointRecord]


class Log(Record):
    """A line that a handler logged."""

    task_id: Uuid
    lease_id: int
    seq: int = Field(description="The lease's own counter.")
    at: datetime | None
    level: str
    message: str
    data: Anything


class Logs(Page):
    """What the handler logged, in order."""

    items: list[Log]


class Text(Record):
    """A piece of what a handler writes."""

    task_id: Uuid
    lease_id: int
    seq: int = Field(description="The lease's own counter.")
    at: datetime | None
    text: str


class ArtifactRecord(Record):
    """A file that a handler saved."""

    name: str
    content_type: str
    size: Count = Field(description="In bytes.")
    sha256: str
    created_at: datetime | None
    href: str = Field(description="The path to download it from.")


class Artifacts(Record):
    """The files of a task, by name."""

    items: list[ArtifactRecord]
