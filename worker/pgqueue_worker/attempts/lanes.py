"""How far a worker has read each lane: the tokens of one priority in one queue, in order.

A claim starts at a cursor, the last seq that this worker took there, so that dead tokens under a
held snapshot are not read again and again. Tokens of types that the worker does not have stay
where they are. What it has read of those at the head of a lane it passes over from then on.

Correctness depends on neither. A sweep starts at 0, or behind the tokens that were passed by the
read before the last, and finds what committed late. What commits even later behind those is found
by reading them again, a part at each look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Lane", "Lanes", "Read"]

PRIORITIES = range(11)
_MAX_CURSORS = 20_000

Lane = tuple[int, str]
"""A priority and a queue."""


class Read(NamedTuple):
    """What ``read_lanes`` found from a position on: its row."""

    own: int | None
    passed: int
    ended: bool


class Lanes:
    """Positions by lane; what is missing is 0."""

    def __init__(self) -> None:
        self._cursors: dict[Lane, int] = {}
        self._passed: dict[Lane, int] = {}
        self._passed_before: dict[Lane, int] = {}
        self._again: dict[Lane, int] = {}  # how far the passed ones have been read again

    def took(self, lane: Lane, seq: int) -> None:
        """A claim took the task at this position."""
        if len(self._cursors) >= _MAX_CURSORS:  # of queues long gone: without them, it reads more
            self._cursors.clear()
        self._cursors[lane] = max(seq, self._cursors.get(lane, 0))

    def starts(self, queues: Iterable[str], *, sweeps: bool) -> str | None:
        """Return where a claim of these queues starts, as PostgreSQL's array; None: at 0."""
        passed = self._passed_before if sweeps else self._passed
        if sweeps and not passed:
            return None
        # PostgreSQL's own form: psycopg takes 100 µs to adapt such a list
        cursors: dict[Lane, int] = {} if sweeps else self._cursors
        lanes = ((priority, queue) for priority in PRIORITIES for queue in queues)
        if not passed:
            seqs = (str(cursors.get(lane, 0)) for lane in lanes)
        else:
            seqs = (str(max(cursors.get(lane, 0), passed.get(lane, 0))) for lane in lanes)
        return "{" + ",".join(seqs) + "}"

    def passed_in(self, queue: str) -> str | None:
        """Return up to where each priority of a queue was passed, as PostgreSQL's array."""
        if not self._passed:
            return None
        return "{" + ",".join(str(self._passed.get((p, queue), 0)) for p in PRIORITIES) + "}"

    def heads(self, lanes: list[Lane], *, all_lanes: bool) -> list[tuple[Lane, int]]:
        """Begin a look: return where to read each of these lanes, behind what was passed.

        With ``all_lanes``, no other lane holds tasks.
        """
        if all_lanes:
            known = set(lanes)
            self._passed = {lane: seq for lane, seq in self._passed.items() if lane in known}
        self._passed_before = dict(self._passed)
        self._again = {lane: seq for lane, seq in self._again.items() if lane in self._passed}
        return [(lane, self._passed.get(lane, 0)) for lane in lanes]

    def rereads(self) -> list[tuple[Lane, int]]:
        """Return where to read a part of what was passed again."""
        return [(lane, self._again.get(lane, 0)) for lane in self._passed_before]

    def read(self, lane: Lane, read: Read) -> None:
        """Pass over what was read at the head of a lane; a look may read on from there."""
        before = self._passed.get(lane, 0)
        if read.passed > before:
            if before:
                self._passed_before[lane] = before
            self._passed[lane] = read.passed

    def reread(self, lane: Lane, read: Read) -> None:
        """A part that was passed has been read again: start at a task of ours, if any is there."""
        if read.own is not None and read.own <= self._passed[lane]:
            self._passed[lane] = self._passed_before[lane] = read.passed
            self._cursors.pop(lane, None)
        done = read.ended or read.passed >= self._passed_before[lane]
        self._again[lane] = 0 if done else read.passed
