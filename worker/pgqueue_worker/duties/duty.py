"""What a duty is, and what it may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pgqueue.errors import DatabaseBusy, DatabaseUnavailable, PgQueueError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pgqueue_worker.duties.pooled_link import PooledLink

__all__ = ["FULL_STEP", "SOON_S", "DeadLetterLevel", "Duty", "QueueSample", "Tools", "is_away"]

FULL_STEP = 1_000
"""The limit of one call of a step, unless its module has its own."""

SOON_S = 0.05
"""The pause before the next step where there is more to do."""


class QueueSample(NamedTuple):
    """How many tasks of a queue had a status, and the age of the oldest; of ``read_samples``."""

    queue: str
    status: str
    n: int
    age_s: float | None


class DeadLetterLevel(NamedTuple):
    """How many dead letters a queue has, and whether they grow; of ``read_dead_letter_levels``."""

    queue: str
    n: int
    growing: bool


@dataclass(frozen=True, slots=True)
class Tools:
    """What a duty works with: pooled connections, and the supervisor's callbacks.

    Every call on ``link`` is a transaction of its own, with the duty's timeouts.
    """

    link: PooledLink
    ring: Callable[[list[str]], None]
    on_samples: Callable[[list[QueueSample], dict[str, int]], None]
    on_dead_letters: Callable[[list[DeadLetterLevel]], None]


@dataclass(frozen=True, slots=True)
class Duty:
    """Work that is done again and again, by any number of supervisors at once.

    ``work`` returns the pause until its next run in seconds, or ``None`` for ``interval_s``. It
    raises what its calls raise, and is called again. A statement that takes longer than
    ``statement_timeout_s``, or waits longer than ``lock_timeout_s`` for a lock, fails. Once
    PostgreSQL is back after an outage, the duty waits ``settle_s``, so that others can do first
    what the outage kept them from. An ``urgent`` duty never waits for a connection that another
    kind of duty has.
    """

    name: str
    work: Callable[[Tools], Awaitable[float | None]]
    interval_s: float
    statement_timeout_s: float = 60.0
    lock_timeout_s: float = 2.0
    settle_s: float = 0.0
    urgent: bool = False


def is_away(error: PgQueueError) -> bool:
    """Return whether PostgreSQL cannot be reached; a timeout of the duty's own does not count."""
    return isinstance(error, DatabaseUnavailable) and not isinstance(error, DatabaseBusy)
