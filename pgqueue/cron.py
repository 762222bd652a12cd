"""Due times of cron expressions: five fields, read as wall-clock time in an IANA zone.

croniter steps through wall-clock times, without zones; this module maps them to moments. When the
clocks change, an hour is skipped or repeated:

- An expression for every hour (its hour field matches all 24) is due whenever the wall clock shows
  a matching minute: never in a skipped hour, twice in a repeated one.
- Any other expression is due once for each matching wall-clock time: a skipped time at the moment
  the clocks jump, a repeated one the first time. Times that map to the same moment count once.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterError, croniter  # type: ignore[import-untyped]

from pgqueue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Cron", "zone"]

_MAX_LENGTH = 100
_MAX_KNOWN = 1_000
_MAX_YEARS = 8  # between two leap days, over the year 2100
_MINUTE = timedelta(minutes=1)
_TICK = timedelta(microseconds=1)
_LAST = datetime(9990, 1, 1, tzinfo=UTC)
_REPEATED = timedelta(hours=3)  # no clock goes back further, except where the date line moves

_NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat"
_FIELD = re.compile(rf"(?:[0-9*/,#-]|{_NAMES}|[lw](?![a-z]))+", re.ASCII | re.IGNORECASE)
_FIELDS = 5
_DAY_OF_WEEK = 4
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_PART = re.compile(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([0-9]+))?", re.ASCII)


class Cron:
    """A valid expression in a valid zone; others raise ``UsageError``, within 5 ms."""

    __slots__ = ("_every_hour", "_known", "_walk", "_zone", "expression", "timezone")

    def __init__(self, expression: str, timezone: str = "UTC") -> None:
        self.expression = expression
        self.timezone = timezone
        self._zone = zone(timezone)
        self._walk = _checked(expression)
        self._known: dict[datetime, datetime | None] = {}
        self._every_hour = "*" in self._walk.expanded[1]
        try:
            self._step(datetime(2000, 3, 1))  # noqa: DTZ001  the wall clock
        except CroniterError as error:
            raise _wrong(expression, f"no date within {_MAX_YEARS} years matches") from error

    def after(self, moment: datetime) -> datetime | None:
        """Return the first due time after a moment, in UTC; None if 8 years have none."""
        if moment >= _LAST:
            return None
        minute = moment.astimezone(UTC).replace(second=0, microsecond=0)
        if minute not in self._known:  # many schedules share an expression
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[minute] = self._find(minute)
        return self._known[minute]

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the due times after ``start``, up to and including ``end``, in order."""
        due = self.after(start)
        while due is not None and due <= end:
            yield due
            due = self.after(due)

    def latest(self, start: datetime, end: datetime, max_times: int) -> list[datetime]:
        """Return the last ``max_times`` due times after ``start``, up to and including ``end``.

        Computes at most a few times as many, however long ago ``start`` is.
        """
        reach = max_times * _MINUTE
        while True:
            begin = max(start, end - reach)
            found = list(self.between(begin, end))
            if len(found) >= max_times or begin == start:
                return found[-max_times:]
            reach *= 2

    def _find(self, moment: datetime) -> datetime | None:
        try:
            return self._next_real(moment) if self._every_hour else self._next_named(moment)
        except CroniterError:
            return None

    def _next_named(self, moment: datetime) -> datetime:
        wall = self._wall(moment)
        while True:
            wall = self._step(wall)
            due = self._first(wall)
            if due > moment:
                return due

    def _next_real(self, moment: datetime) -> datetime:
        wall = self._wall(moment)
        while True:
            offset = self._offset(moment)
            due = self._step(wall).replace(tzinfo=UTC) - offset
            change = self._change(moment, due)
            if change is None or due < change:
                return due
            moment, wall = change, self._wall(change) - _TICK

    def _change(self, start: datetime, end: datetime) -> datetime | None:
        """Return when the clocks change between two moments or within 3 hours of the first."""
        offset = self._offset(start)
        for high in (start + _REPEATED, end):
            if self._offset(high) != offset:
                return self._jump(start, high)
        return None

    def _step(self, wall: datetime) -> datetime:
        stepped: datetime = self._walk.get_next(datetime, start_time=wall)
        return stepped

    def _first(self, wall: datetime) -> datetime:
        """Return the moment when a wall-clock time is first shown, or when the clocks skip it."""
        due = self._instant(wall, 0)
        if self._wall(due) == wall:
            return due
        return self._jump(
            self._instant(wall, 1), due
        )  # the search is from before the jump to after it

    def _jump(self, low: datetime, high: datetime) -> datetime:
        """Return the moment, a whole second, from which the offset differs from that of ``low``."""
        before = self._offset(low)
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) / 2
            low, high = (middle, high) if self._offset(middle) == before else (low, middle)
        return high.replace(microsecond=0)

    def _wall(self, moment: datetime) -> datetime:
        return moment.astimezone(self._zone).replace(tzinfo=None, fold=0)

    def _instant(self, wall: datetime, fold: int) -> datetime:
        return wall.replace(tzinfo=self._zone, fold=fold).astimezone(UTC)

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self._zone).utcoffset() or timedelta()


@cache
def _zones() -> frozenset[str]:
    """Return the zones of the IANA database.

    A system has files beside them, whose clocks differ: `localtime` is whatever the machine shows,
    `right/…` counts leap seconds.
    """
    listed = (resources.files("tzdata") / "zones").read_text("ascii").split()
    return frozenset(listed) - {"Factory"}


@lru_cache(maxsize=1_000)
def zone(name: str) -> ZoneInfo:
    """Return an IANA zone, or raise ``UsageError``."""
    if name in _zones():
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise UsageError(
        f"there is no time zone {name[:_MAX_LENGTH]!r}",
        hint="use a name of the IANA database, such as Europe/Berlin",
    )


def _checked(expression: str) -> croniter:
    if len(expression) > _MAX_LENGTH:
        raise _wrong(expression, f"it has more than {_MAX_LENGTH} characters")
    fields = expression.split(" ")
    if len(fields) != _FIELDS:
        raise _wrong(expression, "it must be five fields, separated by single spaces")
    for field in fields:
        if not _FIELD.fullmatch(field):
            raise _wrong(expression, f"{field!r} is not a valid field")
    settled = " ".join(
        ",".join(_settled(expression, part, n) for part in field.lower().split(","))
        for n, field in enumerate(fields)
    )
    try:
        return croniter(settled, 0, max_years_between_matches=_MAX_YEARS)
    except (CroniterError, ValueError, TypeError, KeyError, IndexError) as error:
        raise _wrong(expression, str(error)) from error


def _settled(expression: str, part: str, field: int) -> str:
    """Return a part of a field as croniter reads it rightly; refuse a step that is never made."""
    read = _PART.fullmatch(part)
    if read is None:
        return part  # such as 5#2, or not valid
    low, high = _RANGES[field]
    names = croniter.ALPHACONV[field]
    first, last = (names.get(one, one) for one in (read[1], read[2]))
    if not all(one is None or str(one).isdigit() for one in (first, last) if one != "*"):
        return part
    begin = low if first == "*" else int(first)
    end = high if last is None else int(last)
    sunday = field == _DAY_OF_WEEK  # is 0 and 7
    if not (low <= begin <= high + sunday and low <= end <= high + sunday):
        return part  # croniter refuses it
    size = high - low + 1
    # a range may go over the end: 22-2. croniter takes 5-5 for all, and loses steps of 22-2/4
    width = (end - begin) % size if last is not None and end != begin + size else end - begin
    step = 1 if read[3] is None else int(read[3])
    # */60 is hourly, as asked for; 55/10 and */90 would be, too
    if read[3] is not None and step > max(1, width + (first == "*")):
        raise _wrong(expression, f"the step of {part!r} is larger than its range")
    if last is None or not step or (width and end >= begin):
        return part
    return ",".join(str((one - low) % size + low) for one in range(begin, begin + width + 1, step))


def _wrong(expression: str, why: str) -> UsageError:
    return UsageError(
        f"cron {expression[:_MAX_LENGTH]!r} is not a valid expression: {why}",
        hint='five fields: minute hour day-of-month month day-of-week, such as "30 9 * * 1-5"',
    )
