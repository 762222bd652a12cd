"""How many processes the load asks for. Nothing here looks at a clock or at a database."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgqueue.commands.process_count import Processes

__all__ = ["Advice", "Load", "advise", "decide"]

_GROWTH = 2


class Load(NamedTuple):
    """What ``pgqueue.scale`` said: the places that are wanted, and those of all live workers."""

    wanted: int
    places: int


class Advice(NamedTuple):
    """How many processes were enough at a time, in seconds of any clock."""

    at: float
    processes: int


def advise(load: Load, running: int) -> int:
    """Give how many processes here are this supervisor's share of what is wanted.

    ``running`` of its processes are among those whose places were counted. Other supervisors that
    serve the same queues take theirs.
    """
    if load.places == 0:
        return running
    return math.ceil(load.wanted * running / load.places)


def decide(
    advice: Sequence[Advice], now: float, kept: int, bounds: Processes, shrink_s: float
) -> int:
    """Give how many processes to keep from now on, by what was advised lately, latest last.

    More at once, twice as many at most; fewer only when fewer were enough all through the last
    ``shrink_s`` seconds: as many as the most that was advised in them.
    """
    if not advice:
        return kept
    latest = advice[-1].processes
    if latest > kept:
        return max(bounds.lowest, min(latest, kept * _GROWTH, bounds.highest))
    since = now - shrink_s
    if advice[0].at > since:
        return kept
    most = max(each.processes for each in advice if each.at >= since)
    return max(bounds.lowest, min(kept, most))
