"""What the clients of the nemesis ask for: tasks of all kinds, drawn from a seed."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.histories import Pen
from tests.chaos.ledger import End

__all__ = ["Asked", "Asker"]

_BULK = 40  # ids that fit into one whole line of the history
_SPURT = 0.1  # of the calls ask for many tasks at once


@dataclass
class Asked:
    """One call: the tasks that it asks for, as the API, the library and SQL all take them."""

    id: str
    tasks: list[dict[str, Any]]
    rolls_back: bool
    cancels: bool


@dataclass
class Asker:
    """Asks for so many tasks, no more than ``rate`` a second, and writes down what it hears."""

    name: str
    pen: Pen
    tasks: int
    rate: float
    chance: random.Random
    slow: float
    """The share of tasks that take seconds."""
    rolls_back: float = 0
    """The share of calls that are rolled back."""
    asked: int = field(default=0, init=False)
    _began: float = field(default_factory=time.monotonic, init=False)
    _numbers: Iterator[int] = field(default_factory=itertools.count, init=False)

    def next(self) -> tuple[Asked, float] | None:
        """Return the next call, and in how many seconds it is to be made; None: that was all."""
        if self.asked >= self.tasks:
            return None
        chance = self.chance
        many = chance.random() < _SPURT
        n = min(chance.randint(2, _BULK) if many else 1, self.tasks - self.asked)
        id = f"{self.name}-{next(self._numbers)}"
        asked = Asked(
            id,
            [_task(f"{id}/{place}", chance, self.slow) for place in range(n)],
            rolls_back=chance.random() < self.rolls_back,
            cancels=chance.random() < 0.04,
        )
        due = self._began + self.asked / self.rate
        self.asked += n
        return asked, max(0.0, due - time.monotonic())

    def begin(self, asked: Asked) -> None:
        """Write down that a call is made."""
        self.pen.write(what="enqueue", call=asked.id, tasks=len(asked.tasks))

    def end(self, asked: Asked, end: End, ids: list[str] | None = None) -> None:
        """Write down what became of it."""
        self.pen.write(what="enqueued", call=asked.id, end=end, ids=ids or [])

    def begin_cancel(self, id: str) -> None:
        """Write down that a task is to be cancelled."""
        self.pen.write(what="cancel", id=id)

    def end_cancel(self, id: str, status: str | None) -> None:
        """Write down what its cancel was told."""
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
