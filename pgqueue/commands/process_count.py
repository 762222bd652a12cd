"""How many processes a worker may have: a number, or the bounds between which the load decides."""

from __future__ import annotations

import re
from dataclasses import dataclass

import click

__all__ = ["METAVAR", "ONE", "Processes", "parse"]

METAVAR = "N|MIN..MAX"

_MOST = 256
_WORDS = re.compile(r"(\d{1,3})(?:\.\.(\d{1,3}))?")


@dataclass(frozen=True, slots=True)
class Processes:
    """At least ``lowest`` worker processes and at most ``highest``."""

    lowest: int = 1
    highest: int = 1

    def __str__(self) -> str:
        """Give it as it is written on the command line."""
        return str(self.lowest) if self.fixed else f"{self.lowest}..{self.highest}"

    @property
    def fixed(self) -> bool:
        """Whether the load decides nothing."""
        return self.lowest == self.highest


ONE = Processes()


def parse(value: str) -> Processes:
    """Read ``4``, or ``1..8``, from a command line."""
    found = _WORDS.fullmatch(value)
    if found is None:
        raise click.BadParameter("this is neither a number, such as 4, nor bounds, such as 1..8")
    lowest = int(found[1])
    highest = int(found[2] or lowest)
    if not 1 <= lowest <= highest <= _MOST:
        raise click.BadParameter(f"it is 1 to {_MOST} processes, the fewer first")
    return Processes(lowest, highest)
