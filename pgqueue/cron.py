"""Due times of cron expressions: five fields, read as wall-clock time in an IANA zone.

croniter walks the wall clock, which knows nothing of zones; this module puts its times on the time
line. The rule for the hours that a change of the clocks skips or repeats:

- An expression for every hour (the hour field matches all 24) is due whenever the wall clock shows
  a matching minute: not in a skipped hour, and both times in a repeated one.
- Any other is due once for each matching wall-clock time: one that is skipped at the moment the
  clocks jump, one that is repeated the first time. Times that fall on one moment are one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterError, croniter  # type: ignore[import-untyped]

from pgqueue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Cron", "zone"]

_LONGEST = 100
_MOST_KNOWN = 1_000
_MOST_YEARS = 8  # between two leap days, over the year 2100
_MINUTE = timedelta(minutes=1)
_TICK = timedelta(microseconds=1)
_LAST = datetime(9990, 1, 1, tzinfo=UTC)
_REPEATED = timedelta(hours=3)  # more than any clock goes back, but for changes of the date line

_NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat"
_FIELD = re.compile(rf"(?:[0-9*/,#-]|{_NAMES}|[lw](?![a-z]))+", re.ASCII | re.IGNORECASE)
_FIELDS = 5
_PLAIN_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", re.ASCII)


class Cron:
    """A checked expression in a checked zone. Making one raises ``UsageError``, in ≤ 5 ms."""

    __slots__ = ("_every_hour", "_known", "_walk", "_zone", "expression", "timezone")

    def __init__(self, expression: str, timezone: str = "UTC") -> None:
        self.expression = expression
        self.timezone = timezone
        self._zone = zone(timezone)
        self._walk = _checked(expression)
        self._known: dict[datetime, datetime | None] = {}
        self._every_hour = self._walk.expanded[1] == ["*"]
        try:
            self._step(datetime(2000, 3, 1))  # noqa: DTZ001  the wall clock
        except CroniterError as error:
            raise _wrong(expression, f"no date in {_MOST_YEARS} years fits it") from error

    def after(self, moment: datetime) -> datetime | None:
        """Give the first due time after a moment, in UTC; None where 8 years have none."""
        if moment >= _LAST:
            return None
        minute = moment.astimezone(UTC).replace(second=0, microsecond=0)
        if minute not in self._known:  # many schedules say the same, and are looked at together
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[minute] = self._find(minute)
        return self._known[minute]

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Give the due times after ``start`` up to and with ``end``, in order."""
        due = self.after(start)
        while due is not None and due <= end:
            yield due
            due = self.after(due)

    def latest(self, start: datetime, end: datetime, most: int) -> list[datetime]:
        """Give the last ``most`` due times after ``start`` up to and with ``end``, in order.

        Looks at a few times as many at most, however long ago ``start`` is.
        """
        reach = most * _MINUTE
        while True:
            begin = max(start, end - reach)
            found = list(self.between(begin, end))
            if len(found) >= most or begin == start:
                return found[-most:]
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
        """Give when the clocks change after one moment and up to another, or soon."""
        offset = self._offset(start)
        for high in (start + _REPEATED, end):
            if self._offset(high) != offset:
                return self._jump(start, high)
        return None

    def _step(self, wall: datetime) -> datetime:
        stepped: datetime = self._walk.get_next(datetime, start_time=wall)
        return stepped

    def _first(self, wall: datetime) -> datetime:
        """Give the moment a wall-clock time is shown first, or the clocks jump over it."""
        due = self._instant(wall, 0)
        if self._wall(due) == wall:
            return due
        return self._jump(self._instant(wall, 1), due)  # from before the jump to after it

    def _jump(self, low: datetime, high: datetime) -> datetime:
        """Give the moment, a whole second, at which the offset of ``low`` no longer holds."""
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


@lru_cache(maxsize=1_000)
def zone(name: str) -> ZoneInfo:
    """Give an IANA zone, or raise ``UsageError``."""
    if len(name) <= _LONGEST and _PLAIN_ZONE.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    message = f"there is no time zone {name[:_LONGEST]!r}"
    raise UsageError(message, hint="name one of the IANA database, such as Europe/Berlin")


def _checked(expression: str) -> croniter:
    if len(expression) > _LONGEST:
        raise _wrong(expression, f"it has more than {_LONGEST} characters")
    fields = expression.split(" ")
    if len(fields) != _FIELDS:
        raise _wrong(expression, "it has other than five fields with a space between them")
    for field in fields:
        if not _FIELD.fullmatch(field):
            raise _wrong(expression, f"{field!r} cannot be read")
    try:
        return croniter(expression, 0, max_years_between_matches=_MOST_YEARS)
    except (CroniterError, ValueError, TypeError, KeyError, IndexError) as error:
        raise _wrong(expression, str(error)) from error


def _wrong(expression: str, why: str) -> UsageError:
    return UsageError(
        f"cron {expression[:_LONGEST]!r} is no expression: {why}",
        hint='five fields: minute hour day-of-month month day-of-week, such as "30 9 * * 1-5"',
    )
