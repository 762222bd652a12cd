"""All schemas that the OpenAPI document refers to by name."""

from __future__ import annotations

from pgqueue_api.schemas import (
    dead_letters,
    explain,
    groups,
    overview,
    problems,
    schedules,
    streams,
    tasks,
)
from pgqueue_api.schemas.parts import Schema

__all__ = ["COMPONENTS"]

COMPONENTS: dict[str, Schema] = {
    **tasks.COMPONENTS,
    **problems.COMPONENTS,
    **overview.COMPONENTS,
    **dead_letters.COMPONENTS,
    **groups.COMPONENTS,
    **explain.COMPONENTS,
    **schedules.COMPONENTS,
    **streams.COMPONENTS,
}
