"""How many processes a worker has: a number, or a range within which the load decides."""

from __future__ import annotations

import re
from dataclasses import dataclass

import click

__all__ = ["METAVAR", "ONE", "Processes", "parse"]

METAVAR = "N|MIN..MAX"

_MAX = 256
_WORDS = re.compile(r"(\d{1,3})(?:\.\.(\d{1,3}))?")


@dataclass(frozen=True, slots=True)
class Processes:
    """At least ``lowest`` worker processes and at most ``highest``."""

    lowest: int = 1
    highest: int = 1

    def __str__(self) -> str:
        """Return it as it is written on the command line."""
        return str(self.lowest) if self.fixed else f"{self.lowest}..{self.highest}"

    @property
    def fixed(self) -> bool:
        """Whether the number does not depend on the load."""
        return self.lowest == self.highest


ONE = Processes()


def parse(value: str) -> Processes:
    """Return what ``4`` or ``1..8`` on a command line means."""
    found = _WORDS.fullmatch(value)
    if found is None:
        raise click.BadParameter(
            f"{value!r} is neither a number, such as 4, nor a range, such as 1..8"
        )
    lowest = int(found[1])
    highest = int(found[2] or lowest)
    if not 1 <= lowest <= highest <= _MAX:
        raise click.BadParameter(
            f"{value!r} must be from 1 to {_MAX} processes, the smaller number first"
        )
    return Processes(lowest, highest)
