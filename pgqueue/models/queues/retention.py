"""How long a queue keeps what is not needed any more."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Annotated

from pydantic import Field, with_config
from typing_extensions import TypedDict

from pgqueue.models.base import INPUT
from pgqueue.models.values import seconds

_LONGEST_S = 3_153_600_000

_Kept = Annotated[float, Field(ge=86_400, le=_LONGEST_S)]


@with_config(INPUT)
class RetentionSettings(TypedDict, total=False):
    """How long ended tasks and their data are kept, counted from the end of the task.

    null: tasks 7 days, events and artifacts as long as their tasks (and never longer), dead letters
    as their policy says.
    """

    tasks_s: _Kept | None
    events_s: _Kept | None
    artifacts_s: _Kept | None
    dead_letters_s: Annotated[float, Field(ge=3600, le=_LONGEST_S)] | None


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what has ended is kept, in seconds or as a ``timedelta``; a day at least.

    ``tasks`` that completed, failed or were cancelled are kept for 7 days unless this says else,
    counted from their end; ``events`` and ``artifacts`` for as long as their tasks, and never
    longer; ``dead_letters`` as their policy says. What goes is taken by the day, so it may be there
    for up to two days more.
    """

    tasks: timedelta | float | None = None
    events: timedelta | float | None = None
    artifacts: timedelta | float | None = None
    dead_letters: timedelta | float | None = None

    def as_setting(self) -> dict[str, float | None]:
        """Return the setting ``retention`` of a queue."""
        return {f"{field.name}_s": seconds(getattr(self, field.name)) for field in fields(self)}
