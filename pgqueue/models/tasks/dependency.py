"""A task to wait for, as callers of the library and of the API write it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias
from uuid import UUID

from pydantic import Field

from pgqueue.errors import UsageError
from pgqueue.models.base import Input, Uuid, Whole

__all__ = ["Dependencies", "Dependency", "DependencyInput", "OnFailure", "ParentInput", "as_json"]

OnFailure: TypeAlias = Literal["cancel", "run", "fail"]
_Place = Annotated[int, Field(ge=0, le=999), Whole]


class DependencyInput(Input):
    """A task to wait for."""

    task: Uuid | _Place
    on_failure: OnFailure = Field(
        default="cancel",
        description="What happens to the waiting task when that one fails or is cancelled.",
    )


ParentInput: TypeAlias = Uuid | _Place | DependencyInput


class Dependency(NamedTuple):
    """A task to wait for, by its id or its place, and what happens when it does not complete.

    ``on_failure``: "cancel" the one that waits, "fail" it, or "run" it all the same.
    """

    task: str | UUID | int
    on_failure: OnFailure = "cancel"


Dependencies: TypeAlias = Sequence[str | UUID | int | Dependency]


def as_json(given: Dependencies) -> list[Any]:
    """Return dependencies as SQL takes them, or raise ``UsageError``."""
    if isinstance(given, str | bytes):
        message = "depends_on is a text"
        raise UsageError(message, hint="pass a list of ids, positions or Dependency")
    return [
        {"task": _task(one.task), "on_failure": one.on_failure}
        if isinstance(one, Dependency)
        else _task(one)
        for one in given
    ]


def _task(task: str | UUID | int) -> str | int:
    return task if isinstance(task, int) else str(task)
