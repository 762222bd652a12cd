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
    """What ``pgqueue.scale`` returned: the slots that are wanted, and those of all live workers."""

    wanted: int
    slots: int


class Advice(NamedTuple):
    """How many processes were enough at a time, in seconds of any clock."""

    at: float
    processes: int


def advise(load: Load, running: int) -> int:
    """Return this supervisor's share of the wanted slots, in processes.

    ``running`` of its processes are among those whose slots were counted. Other supervisors that
    serve the same queues take their own shares.
    """
    if load.slots == 0:
        return running
    return math.ceil(load.wanted * running / load.slots)


def decide(
    advice: Sequence[Advice], now: float, kept: int, bounds: Processes, shrink_s: float
) -> int:
    """Return how many processes to keep from now on, by the recent advice, latest last.

    Grow at once, at most to twice as many. Shrink only if fewer were enough throughout the last
    ``shrink_s`` seconds, to the highest advice of that time.
    """
    if not advice:
        return kept
    latest = advice[-1].processes
    if latest > kept:
        return max(bounds.lowest, min(latest, kept * _GROWTH, bounds.highest))
    since = now - shrink_s
    if advice[0].at > since:
        return kept
    highest = max(each.processes for each in advice if each.at >= since)
    return max(bounds.lowest, min(kept, highest))
