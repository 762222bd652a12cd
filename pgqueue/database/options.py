"""What a link promises of its calls: how long they take, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pgqueue.database.connection import ANSWER_S

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Options", "Timeouts"]

_MARGIN_S = (
    2.0  # PostgreSQL, which knows what it is doing, should end a statement before the client does
)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a call may take, in seconds.

    With ``statement_s`` each call is a transaction of its own, in which PostgreSQL ends a statement
    after ``statement_s`` and a wait for a lock after ``lock_s``. The limits are set for the
    transaction only, so that a transaction pooler hands them to nobody else. Without it a call is
    one statement in autocommit mode, with the limits of the server.

    A server that sends no answer for ``answer_s`` counts as gone. The default is two seconds more
    than ``statement_s``, or 13 s.
    """

    statement_s: float | None = None
    lock_s: float = 5.0
    answer_s: float | None = None

    @property
    def silence_s(self) -> float:
        """How long the server may be silent."""
        if self.answer_s is not None:
            return self.answer_s
        return ANSWER_S if self.statement_s is None else self.statement_s + _MARGIN_S


@dataclass(frozen=True, slots=True)
class Options:
    """The name of a link, and its promises about its calls."""

    name: str
    """The ``application_name``, which pg_stat_activity shows."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    read_only: bool = False
    """PostgreSQL refuses writes. Needs ``statement_s``: it is set for each transaction."""
    setup: str = ""
    """The query that each new connection starts with."""
    listen: str = ""
    """The query that listens, run on each new connection unless a pooler stands between."""
    on_notify: Callable[[str], None] | None = None
    """Called with each payload; with none ("") when some may have been missed."""

    def __post_init__(self) -> None:
        if self.read_only and self.timeouts.statement_s is None:
            message = "a read-only link needs a statement_s"
            raise ValueError(message)
