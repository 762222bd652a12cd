"""What a duty is, and what it may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pgqueue_worker.duties.pool import Line

__all__ = ["FULL_STEP", "SOON_S", "Duty", "Tools"]

FULL_STEP = 1_000
"""What one call of a step does at most, where it does not say else: a full one calls for more."""

SOON_S = 0.05
"""The pause before the next step where there is more to do."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a duty works with: connections that it shares with others, and the supervisor's ears.

    Every call on ``link`` is a transaction of its own, bounded by the duty's timeouts.
    """

    link: Line
    ring: Callable[[list[str]], None]
    on_samples: Callable[[list[tuple[Any, ...]]], None]
    on_letters: Callable[[list[tuple[Any, ...]]], None]


@dataclass(frozen=True, slots=True)
class Duty:
    """Work that is done again and again, by any number of supervisors at once.

    ``work`` gives the pause until its next run in seconds, or None: ``interval_s``. It raises what
    its calls raise: it is called again. A statement that takes longer than ``statement_timeout_s``,
    or waits longer than ``lock_timeout_s`` for a lock, fails. When PostgreSQL was away and is back
    the duty comes ``settle_s`` later: what others were kept from doing comes first. An ``urgent``
    one never waits for a connection that another kind of duty has.
    """

    name: str
    work: Callable[[Tools], Awaitable[float | None]]
    interval_s: float
    statement_timeout_s: float = 60.0
    lock_timeout_s: float = 2.0
    settle_s: float = 0.0
    urgent: bool = False
