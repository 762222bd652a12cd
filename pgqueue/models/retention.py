"""How long a queue keeps what is not needed any more."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta

from pgqueue.models.task import seconds


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
        """Give it as the setting ``retention`` of a queue."""
        return {f"{field.name}_s": seconds(getattr(self, field.name)) for field in fields(self)}
