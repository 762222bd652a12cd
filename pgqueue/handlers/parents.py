"""The parents of a task: what its handler sees of the tasks that it waited for."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from pgqueue.models.tasks.status import Status, TaskId

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["Parent", "read_parents"]


class Parent(BaseModel):
    """A task that another one waited for: how it ended, and its result or error."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    id: TaskId
    type: str
    status: Status
    result: Any
    error: Any


def read_parents(loaded: Any) -> Any:
    """Return the parents of JSON texts; if those are awaited, so are the parents."""
    return _later(loaded) if inspect.isawaitable(loaded) else _read(loaded)


async def _later(loading: Awaitable[list[str]]) -> list[Parent]:
    return _read(await loading)


def _read(texts: list[str]) -> list[Parent]:
    return [Parent.model_validate_json(text) for text in texts]
