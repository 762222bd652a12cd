"""The calls that clients of the nemesis make: tasks of all kinds, drawn from a seed."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.histories import Pen
from tests.chaos.ledger import End

__all__ = ["CallGenerator", "DrawnCall"]

_BULK = 40  # ids that fit into one whole line of the history
_SPURT = 0.1  # of the calls ask for many tasks at once


@dataclass
class DrawnCall:
    """One call: the tasks that it asks for, as the API, the library and SQL all take them."""

    id: str
    tasks: list[dict[str, Any]]
    rolls_back: bool
    cancels: bool


@dataclass
class CallGenerator:
    """Draws calls for so many tasks, at most ``rate`` a second, and writes down how they end."""

    name: str
    pen: Pen
    tasks: int
    rate: float
    chance: random.Random
    slow: float
    """The share of tasks that take seconds."""
    rolls_back: float = 0
    """The share of calls that are rolled back."""
    drawn: int = field(default=0, init=False)
    _began: float = field(default_factory=time.monotonic, init=False)
    _numbers: Iterator[int] = field(default_factory=itertools.count, init=False)

    def next(self) -> tuple[DrawnCall, float] | None:
        """Return the next call, and in how many seconds it is to be made; None: that was all."""
        if self.drawn >= self.tasks:
            return None
        chance = self.chance
        many = chance.random() < _SPURT
        n = min(chance.randint(2, _BULK) if many else 1, self.tasks - self.drawn)
        id = f"{self.name}-{next(self._numbers)}"
        call = DrawnCall(
            id,
            [_task(f"{id}/{place}", chance, self.slow) for place in range(n)],
            rolls_back=chance.random() < self.rolls_back,
            cancels=chance.random() < 0.04,
        )
        due = self._began + self.drawn / self.rate
        self.drawn += n
        return call, max(0.0, due - time.monotonic())

    def begin(self, call: DrawnCall) -> None:
        """Write down that a call is made."""
        self.pen.write(what="enqueue", call=call.id, tasks=len(call.tasks))

    def end(self, call: DrawnCall, end: End, ids: list[str] | None = None) -> None:
        """Write down what became of it."""
        self.pen.write(what="enqueued", call=call.id, end=end, ids=ids or [])

    def begin_cancel(self, id: str) -> None:
        """Write down that a task is to be cancelled."""
        self.pen.write(what="cancel", id=id)

    def end_cancel(self, id: str, status: str | None) -> None:
        """Write down what its cancel returned."""
        self.pen.write(what="cancelled", id=id, status=status)


def _task(key: str, chance: random.Random, slow: float) -> dict[str, Any]:
    """Draw a task: most are short, some fail first, some are snoozed, some write an effect."""
    kind = chance.choices(("work", "threaded", "effect"), (75, 10, 15))[0]
    seconds = chance.uniform(1, 3) if chance.random() < slow else chance.expovariate(6)
    payload: dict[str, Any] = {"key": key, "seconds": round(min(seconds, 3), 3)}
    task: dict[str, Any] = {"type": kind, "payload": payload}
    if chance.random() < 0.5:
        payload["result"] = True
    if chance.random() < 0.08:
        payload["fails"] = chance.randint(1, 2)
    if kind == "work" and chance.random() < 0.05:
        payload["snooze"] = round(chance.uniform(0.1, 1.5), 2)
    if chance.random() < 0.1:
        task["priority"] = chance.choice((2, 8))
    return task
