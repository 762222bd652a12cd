"""Numbers and times that callers pass: what cannot be right is refused before anything is sent."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from pgqueue import (
    Backoff,
    EnqueueOptions,
    Limit,
    NewSchedule,
    NewTask,
    PgQueue,
    Rate,
    Retention,
    ScheduleOptions,
    UsageError,
)
from pgqueue.client.calls import given as settings
from pgqueue.models.schedule import changed
from pgqueue.models.tasks.options import sql_names

NO_NUMBERS = [math.nan, math.inf, -math.inf, True, "5", [5], {"n": 5}]
NO_DURATIONS = [*NO_NUMBERS, -1, timedelta(seconds=-1), 1e12, timedelta.max]
NO_COUNTS = [*NO_NUMBERS, -1, 0, 1.5, 10**6, 10**30, timedelta(seconds=1)]
NO_TIMES = ["2030-01-01", "2030-01-01T00:00:00Z", date(2030, 1, 1), 5, math.nan, timedelta(1)]
NO_PRIORITIES = [math.nan, math.inf, 5.5, -1, 11, True, "urgent", "5", [5], timedelta(1)]

DURATIONS = {"timeout", "delay", "expires_in", "dedup_window", "jitter"}
COUNTS = {"max_attempts", "cost", "missed_max"}
TIMES = {"run_at", "expires_at", "starts_at", "ends_at"}


def _task(name: str, value: Any) -> object:
    more = {"dedup_key": "k"} if name.startswith("dedup") else {}
    return NewTask("t", **{name: value, **more}).as_row()


def _schedule(name: str, value: Any) -> object:
    when = {} if name == "run_at" else {"cron": "0 * * * *"}
    return NewSchedule("t", **{**when, name: value}).as_settings()


def _change(name: str, value: Any) -> object:
    return changed({name: value})


DOORS: list[tuple[Callable[[str, Any], object], set[str]]] = [
    (_task, set(sql_names(EnqueueOptions))),
    (_schedule, set(sql_names(ScheduleOptions))),
    (_change, set(sql_names(ScheduleOptions))),
]


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        *[("duration", value) for value in NO_DURATIONS],
        *[("count", value) for value in NO_COUNTS],
        *[("time", value) for value in NO_TIMES],
        *[("priority", value) for value in NO_PRIORITIES],
    ],
    ids=repr,
)
def test_an_option_that_is_out_of_range_or_of_another_type_is_refused(
    kind: str, wrong: Any
) -> None:
    names = {"duration": DURATIONS, "count": COUNTS, "time": TIMES, "priority": {"priority"}}
    for door, known in DOORS:
        for name in sorted(names[kind] & known):
            with pytest.raises(UsageError) as caught:
                door(name, wrong)
            assert name in caught.value.message
            assert repr(wrong) in caught.value.message
            assert caught.value.hint


def test_every_number_and_time_among_the_options_is_known_here() -> None:
    known = DURATIONS | COUNTS | TIMES | {"priority"}
    for options in (EnqueueOptions, ScheduleOptions):
        for name, hint in options.__annotations__.items():
            text = str(hint)
            is_number = any(word in text for word in ("int", "float", "datetime"))
            assert is_number == (name in known) or name == "depends_on", name


@pytest.mark.parametrize(
    ("option", "value", "stored"),
    [
        ("delay", 0, 0.0),
        ("delay", timedelta(days=3650), 315_360_000.0),
        ("timeout", 0.5, 0.5),
        ("max_attempts", 1000, 1000),
        ("max_attempts", 3.0, 3),
        ("cost", 32_767, 32_767),
        ("priority", 5.0, 5),
    ],
)
def test_what_is_in_range_is_kept(option: str, value: Any, stored: float) -> None:
    row = NewTask("t", **{option: value}).as_row()
    (kept,) = (one for name, one in row.items() if name not in ("type", "payload"))
    assert (kept, type(kept)) == (stored, type(stored))


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_whatever_else_takes_a_number_takes_no_nan_and_no_infinity(wrong: float) -> None:
    app = PgQueue()
    calls: list[Callable[[], object]] = [
        lambda: app.task("t", timeout=wrong)(lambda: None),
        lambda: app.task("t", max_attempts=wrong)(lambda: None),
        lambda: app.task("t", isolation="process", memory_limit=wrong)(lambda: None),
        lambda: app.task("t", isolation="process", cpu_limit=wrong)(lambda: None),
        lambda: app.task("t", isolation="process", file_limit=wrong)(lambda: None),
        lambda: app.task("t", queue_settings={"concurrency": wrong})(lambda: None),
        lambda: Backoff(base=wrong),
        lambda: Backoff(cap=wrong),
        lambda: Rate(wrong, per=1),
        lambda: Rate(1, per=wrong),
        lambda: Limit(rate=Rate(1, per=wrong)),
        lambda: Retention(tasks=wrong).as_setting(),
        lambda: settings(concurrency=wrong),
        lambda: settings(per_key=Limit(concurrency=wrong).as_setting()),
        lambda: settings(fairness={"weights": {"a": wrong}}),
    ]
    for call in calls:
        with pytest.raises(UsageError) as caught:
            call()
        assert caught.value.hint
    assert not app.types


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, "5", True])
async def test_a_call_of_a_client_takes_no_nan_and_no_infinity(wrong: Any) -> None:
    app = PgQueue("host=/nonexistent")
    id = "019b2f6e-8a3c-7d12-8000-0a1b2c3d4e5f"
    now = datetime.now(UTC)
    calls = [
        app.wait(id, timeout=wrong),
        app.batches.wait(id, timeout=wrong),
        app.operations.wait(id, timeout=wrong),
        app.drain("q", timeout=wrong),
        app.update(id, delay=wrong),
        app.update(id, priority=wrong),
        app.update(id, run_at=wrong),
        app.set_queue("q", ageing=wrong),
        app.webhooks.rotate_secret(overlap=wrong),
        app.webhooks.deliveries(limit=wrong),
        app.batches.latest(limit=wrong),
        app.operations.latest(limit=wrong),
        app.operations.start("delete", {"all": True}, per_second=wrong),
        app.dead_letters(limit=wrong),
        app.schedules.find(limit=wrong),
        app.schedules.slots("s", limit=wrong),
        app.schedules.preview("0 * * * *", n=wrong),
        app.schedules.backfill("s", wrong, now),
        app.schedules.backfill("s", now, wrong),
    ]
    for call in calls:
        with pytest.raises(UsageError) as caught:
            await call
        assert repr(wrong) in str(caught.value)
        assert caught.value.hint


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": "5"},
        {"max_attempts": 0},
        {"max_attempts": 10**6},
        {"max_attempts": 1.5},
        {"max_attempts": True},
        {"max_attempts": "5"},
    ],
    ids=repr,
)
def test_an_option_of_a_type_that_is_out_of_range_is_refused(options: dict[str, Any]) -> None:
    app = PgQueue()
    with pytest.raises(UsageError) as caught:
        app.task("t", **options)(lambda: None)
    ((name, value),) = options.items()
    assert name in caught.value.message
    assert repr(value) in caught.value.message
