"""Due times of cron expressions, against a clock that is read minute by minute."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from pgqueue.cron import Cron, zone
from pgqueue.errors import UsageError

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(cron: str, zone: str, start: str, end: str) -> list[str]:
    """The due times after one moment up to another, as the zone's own clock shows them."""
    found = Cron(cron, zone).between(at(start), at(end))
    return [moment.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes")[5:] for moment in found]


# what an expression may be


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *",
        "30 9 * * 1-5",
        "0,30 */2 1-15/3 jan,DEC mon-fri",
        "0 0 29 2 *",
        "0 0 l * *",
        "0 9 * * fri#2",
        "0 9 * * l5",
        "0 9 15w * *",
        "0 0 31 2 1",
        "0 0 * * 7",
        "*/60 */24 */31 */12 *",  # each field goes round once: hourly, daily …
        "0 0 * * */7",
        "5-5/1 * * * *",
    ],
)
def test_five_fields_are_an_expression(expression: str) -> None:
    assert Cron(expression).after(at("2026-11-22")) is not None


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "* * * * * *",
        "* * * * * * *",
        "*  * * * *",
        " * * * * *",
        "*\t* * * *",
        "* * * * *\n",
        "@daily",
        "@reboot",
        "R * * * *",
        "R(0-10) * * * *",
        "r/5 * * * *",
        "H * * * *",
        "h(0-10)/3 * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * 0 *",
        "* * * * 8",
        "*/0 * * * *",
        "*/61 * * * *",
        "*/90 * * * *",
        "0/90 * * * *",
        "55/10 * * * *",
        "10-20/11 * * * *",
        "5-5/2 * * * *",
        "0 */25 * * *",
        "0 0 */32 * *",
        "0 0 1-31/40 * *",
        "0 0 1 */13 *",
        "0 0 1 nov/2 *",
        "0 0 * * */8",
        "0 0 * * fri/2",
        "0,*/70 * * * *",
        "70-5 * * * *",
        "5-99 * * * *",
        "0 0 40-2 * *",
        "0 0 * * 1-8",
        "5-1- * * * *",
        "1- * * * *",
        "-1 * * * *",
        ", * * * *",
        "a * * * *",
        "* * * foo *",
        "é * * * *",
        "٣ * * * *",
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "0 0 30-31 2 *",
        "0 0 31 feb *",
        "1," * 50 + "1 * * * *",
        "* * * * *;drop",
        "*" * 101,
    ],
)
def test_what_is_no_expression_or_never_due_is_refused(expression: str) -> None:
    with pytest.raises(UsageError) as error:
        Cron(expression)
    assert "five fields" in str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        *("", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "Europe", "a" * 200, "UTC\0", "é"),
        # files of a system beside the zones: the machine's own, with leap seconds, without a zone
        *("localtime", "right/Europe/Berlin", "posix/Europe/Berlin", "posixrules", "Factory"),
        *("leapseconds", "tzdata.zi", "zone.tab", "europe/berlin"),
    ],
)
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        zone(name)


@pytest.mark.parametrize(
    "name", ["UTC", BERLIN, "Etc/GMT+5", "US/Pacific", "EST5EDT", "Asia/Kolkata"]
)
def test_a_zone_of_the_iana_database_is_one(name: str) -> None:
    assert zone(name).key == name


@pytest.mark.parametrize(
    ("expression", "same"),
    [
        ("10-10 * * * *", "10 * * * *"),
        ("0 9-9,12-12 * * *", "0 9,12 * * *"),
        ("0 0 1-1 * *", "0 0 1 * *"),
        ("0 0 * feb-FEB *", "0 0 * 2 *"),
        ("0 0 * * 7-0", "0 0 * * 0"),
        ("*/59 * * * *", "0,59 * * * *"),
        ("50/9 * * * *", "50,59 * * * *"),
        ("0 22-2/4 * * *", "0 22,2 * * *"),
        ("50-10/15 * * * *", "50,5 * * * *"),
        ("0 0 31-2 * *", "0 0 31,1,2 * *"),
        ("0 0 * * 0-7", "0 0 * * *"),
        ("0 0 * * 5-7", "0 0 * * 5,6,0"),
        ("0 0 * * sat-mon/2", "0 0 * * 6,1"),
    ],
)
def test_a_range_is_the_values_that_it_names(expression: str, same: str) -> None:
    start, end = at("2026-01-01"), at("2027-01-10")
    assert [*Cron(expression).between(start, end)] == [*Cron(same).between(start, end)]


def test_every_hour_is_every_hour_with_others_beside_it() -> None:
    night = ("2026-03-28T23:30", "2026-03-29T02:30")
    assert due("30 *,5 * * *", BERLIN, *night) == due("30 * * * *", BERLIN, *night)


_PART = st.text("0123456789*/,-#lwLWrRhH?()abcdefjmnopstuvy ", max_size=30)


@settings(max_examples=500)
@given(st.one_of(_PART, st.lists(_PART, min_size=5, max_size=5).map(" ".join), st.text()))
def test_whatever_comes_in_is_read_or_refused_at_once(text: str) -> None:
    times = []
    for _ in range(5):  # CPU time, and the least: 5 ms at most; what explodes takes seconds
        began = time.thread_time()
        with suppress(UsageError):
            Cron(text).after(at("2026-11-22"))
        times.append(time.thread_time() - began)
        if times[-1] <= 0.1:
            break
    assert min(times) <= 0.1


# the hour that is skipped, the hour that comes twice


@pytest.mark.parametrize(
    ("cron", "zone", "expected"),
    [
        # every hour: whenever the clock shows it
        ("30 * * * *", BERLIN, ["03-29T01:30+01:00", "03-29T03:30+02:00", "03-29T04:30+02:00"]),
        ("0 * * * *", BERLIN, ["03-29T01:00+01:00", "03-29T03:00+02:00", "03-29T04:00+02:00"]),
        # at hours: when the clocks jump
        ("30 2 * * *", BERLIN, ["03-29T03:00+02:00"]),
        ("*/20 2 * * *", BERLIN, ["03-29T03:00+02:00"]),
        ("0 2,3 * * *", BERLIN, ["03-29T03:00+02:00"]),
        ("30 1,2,3 * * *", BERLIN, ["03-29T01:30+01:00", "03-29T03:00+02:00", "03-29T03:30+02:00"]),
        ("0 3 * * *", BERLIN, ["03-29T03:00+02:00"]),
    ],
)
def test_in_the_night_that_skips_an_hour(cron: str, zone: str, expected: list[str]) -> None:
    assert due(cron, zone, "2026-03-28T23:30", "2026-03-29T02:30") == expected


@pytest.mark.parametrize(
    ("cron", "zone", "expected"),
    [
        (
            "30 * * * *",
            BERLIN,
            ["10-25T01:30+02:00", "10-25T02:30+02:00", "10-25T02:30+01:00", "10-25T03:30+01:00"],
        ),
        ("30 2 * * *", BERLIN, ["10-25T02:30+02:00"]),
        ("0 2 * * *", BERLIN, ["10-25T02:00+02:00"]),
        ("0 3 * * *", BERLIN, ["10-25T03:00+01:00"]),
        ("*/30 2 * * *", BERLIN, ["10-25T02:00+02:00", "10-25T02:30+02:00"]),
    ],
)
def test_in_the_night_that_repeats_an_hour(cron: str, zone: str, expected: list[str]) -> None:
    assert due(cron, zone, "2026-10-24T23:00", "2026-10-25T02:45") == expected


def test_a_jump_of_half_an_hour_and_a_day_that_never_was() -> None:
    assert due("15 2 * * *", LORD_HOWE, "2026-10-03T14:00", "2026-10-03T17:00") == [
        "10-04T02:30+11:00"
    ]
    assert due("0 9 * * *", "Pacific/Apia", "2011-12-29T00:00", "2011-12-31T00:00") == [
        "12-29T09:00-10:00",
        "12-31T00:00+14:00",
        "12-31T09:00+14:00",
    ]


def _shows(fields: list, wall: datetime) -> bool:
    _, _, day, _, weekday = fields
    values = (wall.minute, wall.hour, wall.day, wall.month, wall.isoweekday() % 7)
    fits = [field == ["*"] or value in field for field, value in zip(fields, values, strict=True)]
    days = any if ["*"] not in (day, weekday) else all
    return fits[0] and fits[1] and fits[3] and days((fits[2], fits[4]))


def _every_minute(cron: str, name: str, start: datetime, end: datetime) -> list[datetime]:
    """The rule, told another way: look at the clock on the wall each minute."""
    there = ZoneInfo(name)
    fields = croniter(cron, 0).expanded
    found = set()
    moment = start + MINUTE
    seen = (start.astimezone(there)).replace(tzinfo=None)
    while moment <= end:
        wall = moment.astimezone(there).replace(tzinfo=None, fold=0)
        if fields[1] == ["*"]:
            if _shows(fields, wall):
                found.add(moment)
        else:
            while seen < wall:  # all that the clock has not shown before, jumped over or not
                seen += MINUTE
                if _shows(fields, seen):
                    found.add(moment)
        moment += MINUTE
    return sorted(found)


_CHANGES = [
    (BERLIN, "2026-03-29T01:00"),
    (BERLIN, "2026-10-25T01:00"),
    (NEW_YORK, "2026-03-08T07:00"),
    (NEW_YORK, "2026-11-01T06:00"),
    (LORD_HOWE, "2026-04-04T15:00"),
    (LORD_HOWE, "2026-10-03T15:30"),
    ("Antarctica/Troll", "2026-03-29T01:00"),
    ("Antarctica/Troll", "2026-10-25T01:00"),
    ("Africa/Casablanca", "2026-02-15T02:00"),
]


@settings(max_examples=60)
@given(
    st.sampled_from(_CHANGES),
    st.sampled_from(["*", "0", "30", "*/7", "5,45", "59"]),
    st.sampled_from(["*", "0", "1", "2", "1-3", "*/2", "3", "23", "2,14"]),
    st.sampled_from(["* * *", "25 * *", "29 3 *", "* * 0", "1 * sun"]),
    st.integers(0, 36_000),
)
def test_due_times_are_those_of_a_clock_that_is_read_every_minute(
    change: tuple[str, str], minute: str, hour: str, rest: str, later: int
) -> None:
    name, moment = change
    cron = f"{minute} {hour} {rest}"
    start, end = at(moment) - timedelta(hours=5), at(moment) + timedelta(hours=5)
    expected = _every_minute(cron, name, start, end)
    assert list(Cron(cron, name).between(start, end)) == expected
    assert Cron(cron, name).latest(start, end, 3) == expected[-3:]
    begin = start + timedelta(seconds=later)  # from anywhere in between, too
    assert list(Cron(cron, name).between(begin, end)) == [d for d in expected if d > begin]


def test_the_latest_of_a_long_time_are_found_without_a_look_at_all_of_them() -> None:
    began = time.thread_time()
    found = Cron("* * * * *").latest(at("1970-01-01"), at("2026-11-22"), 100)
    assert found[0] == at("2026-11-21T22:21")
    assert len(Cron("0 0 29 2 *").latest(at("1970-01-01"), at("2026-11-22"), 3)) == 3
    assert time.thread_time() - began < 1


def test_far_in_the_future_nothing_is_due_and_nothing_breaks() -> None:
    assert Cron("* * * * *").after(datetime(9999, 12, 31, 23, 59, tzinfo=UTC)) is None
