"""Schedules: each due time once, whoever schedules, whatever the clock does."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.database.queue import Queue
from tests.database.schedules import Clock, fates, patch, run, schedule, slots, tick

pytestmark = pytest.mark.usefixtures("running_clock")

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)


@pytest.fixture
def clock(queue: Queue) -> Clock:
    return Clock(queue, NOON + timedelta(seconds=90))


def test_a_schedule_enqueues_its_task_when_it_is_due_and_not_before(
    queue: Queue, clock: Clock
) -> None:
    patch(queue, "s", cron="*/5 * * * *", type="t", payload={"a": 1}, queue="q", priority=2)
    assert schedule(queue, "s")["state"] == "new"
    assert run(queue) == 0
    assert schedule(queue, "s")["next_due_at"] == NOON + timedelta(minutes=5)
    assert schedule(queue, "s")["state"] == "active"
    clock.set(NOON + timedelta(minutes=4, seconds=59))
    assert run(queue) == 0
    clock.set(NOON + timedelta(minutes=5, seconds=1))
    assert run(queue) == 1
    (slot,) = slots(queue, "s")
    assert (slot["due_at"], slot["kind"], slot["fate"]) == (
        NOON + timedelta(minutes=5),
        "due",
        "enqueued",
    )
    task = queue.task(slot["task_id"])
    assert (task["type"], task["payload"], task["queue"]) == ("t", {"a": 1}, "q")
    assert (task["priority"], task["status"], task["run_at"]) == (2, "queued", slot["due_at"])
    after = schedule(queue, "s")
    assert (after["run_count"], after["last_task_id"]) == (1, slot["task_id"])
    assert after["next_due_at"] == NOON + timedelta(minutes=10)


def test_a_one_off_is_enqueued_once_at_its_time(queue: Queue, clock: Clock) -> None:
    patch(queue, "s", run_at=(NOON + timedelta(hours=1)).isoformat(), type="t")
    assert schedule(queue, "s")["next_due_at"] == NOON + timedelta(hours=1)
    assert run(queue) == 0
    clock.set(NOON + timedelta(hours=1, seconds=1))
    assert run(queue) == 1
    assert run(queue) == 0
    assert (schedule(queue, "s")["state"], fates(queue, "s")) == ("ended", ["enqueued"])
    queue.value("select pgqueue.pause_schedule('s')::text")
    queue.value("select pgqueue.resume_schedule('s')::text")
    assert (run(queue), schedule(queue, "s")["state"]) == (0, "ended")
    patch(queue, "s", run_at=(NOON + timedelta(hours=2)).isoformat())
    clock.move(hours=2)
    assert run(queue) == 1


def test_a_one_off_whose_time_has_passed_runs_at_once(queue: Queue, clock: Clock) -> None:
    patch(queue, "s", run_at=(NOON - timedelta(days=3)).isoformat(), type="t")
    patch(queue, "late", run_at=(NOON - timedelta(days=3)).isoformat(), type="t", missed="skip")
    assert run(queue) == 1
    assert (fates(queue, "s"), fates(queue, "late")) == (["enqueued"], ["missed"])


def test_the_task_gets_every_option_of_its_schedule(queue: Queue, clock: Clock) -> None:
    retry = {"kind": "fixed", "base_s": 9}
    patch(
        *(queue, "s"),
        run_at=NOON.isoformat(),
        type="t",
        payload={"n": [1, None]},
        queue="q",
        priority=1,
        max_attempts=7,
        timeout_s=12,
        retry=retry,
        expires_in_s=60,
        limit_key="l",
        cost=2,
        fairness_key="f",
    )
    run(queue)
    task = queue.task(schedule(queue, "s")["last_task_id"])
    assert (task["max_attempts"], task["timeout_s"], task["retry"]) == (7, 12, retry)
    assert (task["priority"], task["queue"], task["payload"]) == (1, "q", {"n": [1, None]})
    assert (task["limit_key"], task["cost"], task["fairness_key"]) == ("l", 2, "f")
    assert task["expires_at"] == task["created_at"] + timedelta(seconds=60)


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("skip", ["missed"] * 5),
        ("latest", ["missed"] * 4 + ["enqueued"]),
        ("all", ["missed"] * 2 + ["enqueued"] * 3),
    ],
)
def test_what_was_missed_is_skipped_or_made_up_for_as_the_schedule_says(
    queue: Queue, clock: Clock, missed: str, expected: list[str]
) -> None:
    patch(queue, "s", cron="0 * * * *", type="t", missed=missed, missed_max=3)
    run(queue)
    clock.set(NOON + timedelta(hours=5, minutes=30))
    assert run(queue) == expected.count("enqueued")
    assert fates(queue, "s") == expected
    assert schedule(queue, "s")["next_due_at"] == NOON + timedelta(hours=6)


def test_a_due_time_of_the_last_minute_is_not_missed(queue: Queue, clock: Clock) -> None:
    patch(queue, "s", cron="* * * * *", type="t", missed="skip")
    run(queue)
    clock.set(NOON + timedelta(minutes=10, seconds=50))
    assert run(queue) == 1
    assert fates(queue, "s") == ["missed"] * 8 + ["enqueued"]


def test_a_year_of_missed_minutes_is_told_in_a_bounded_number_of_rows(
    queue: Queue, clock: Clock
) -> None:
    patch(queue, "s", cron="* * * * *", type="t", missed="all", missed_max=1000)
    run(queue)
    clock.move(days=366)
    assert run(queue) == 1000
    rows = slots(queue, "s")
    assert len(rows) == 1001
    assert rows[0]["due_at"] == NOON + timedelta(minutes=2)
    assert (rows[0]["fate"], "until the next slot" in rows[0]["reason"]) == ("missed", True)


def test_starts_at_and_ends_at_are_the_first_and_the_last_moment_that_count(
    queue: Queue, clock: Clock
) -> None:
    hour = timedelta(hours=1)
    window = {"starts_at": (NOON + 2 * hour).isoformat(), "ends_at": (NOON + 4 * hour).isoformat()}
    patch(queue, "s", cron="0 * * * *", type="t", missed="all", **window)
    run(queue)
    assert schedule(queue, "s")["next_due_at"] == NOON + 2 * hour
    clock.move(hours=8)
    assert run(queue) == 3
    assert schedule(queue, "s")["state"] == "ended"


def test_jitter_delays_each_time_by_its_own_share_and_the_task_knows_the_due_time(
    queue: Queue, clock: Clock
) -> None:
    for n in range(20):
        patch(queue, f"s{n}", cron="0 * * * *", type="t", jitter_s=600)
    run(queue)
    delays = queue.values(
        "select (look_at - next_due_at) as d from pgqueue_private.schedule order by 1"
    )
    assert timedelta() <= delays[0] < delays[-1] <= timedelta(minutes=10)
    assert len(set(delays)) == 20
    clock.set(NOON + timedelta(hours=1) + delays[9] + timedelta(milliseconds=1))
    assert run(queue) == 10
    clock.set(NOON + timedelta(hours=1, minutes=11))
    assert run(queue) == 10
    assert queue.values("select distinct run_at from pgqueue_private.task") == [
        NOON + timedelta(hours=1)
    ]
    assert queue.values("select distinct fate from pgqueue_private.schedule_slot") == ["enqueued"]


def test_a_paused_schedule_enqueues_nothing_and_makes_up_for_nothing(
    queue: Queue, clock: Clock
) -> None:
    patch(queue, "s", cron="0 * * * *", type="t", missed="all")
    run(queue)
    queue.value("select pgqueue.pause_schedule('s')::text")
    assert schedule(queue, "s")["state"] == "paused"
    clock.move(hours=5)
    assert run(queue) == 0
    queue.value("select pgqueue.resume_schedule('s')::text")
    assert run(queue) == 0
    assert schedule(queue, "s")["next_due_at"] == NOON + timedelta(hours=6)
    assert slots(queue, "s") == []


def test_a_trigger_enqueues_now_whatever_the_schedule_says(queue: Queue, clock: Clock) -> None:
    patch(queue, "s", cron="0 0 1 1 *", type="t", overlap="skip", enabled=False)
    ids = [queue.value("select pgqueue.trigger_schedule('s')") for _ in range(2)]
    assert [slot["task_id"] for slot in slots(queue, "s")] == ids
    assert {slot["kind"] for slot in slots(queue, "s")} == {"trigger"}
    after = schedule(queue, "s")
    assert (after["run_count"], after["last_task_id"], after["state"]) == (2, ids[1], "paused")
    assert queue.status(ids[0]) == "queued"


def test_a_backfill_enqueues_each_due_time_of_the_range_that_has_no_task(
    queue: Queue, clock: Clock
) -> None:
    hour = timedelta(hours=1)
    patch(queue, "s", cron="0 * * * *", type="t", missed="skip", overlap="skip")
    run(queue)
    clock.move(hours=3)
    run(queue)
    assert fates(queue, "s") == ["missed"] * 3
    queue.value(
        "select pgqueue.backfill_schedule('s', %s, %s)::text", NOON - 2 * hour, NOON + 3 * hour
    )
    with pytest.raises(psycopg.Error) as error:
        queue.value("select pgqueue.backfill_schedule('s', %s, %s)::text", NOON - hour, NOON)
    assert error.value.sqlstate == "PQ003"
    assert run(queue) == 5
    assert fates(queue, "s") == ["enqueued"] * 5 + ["missed"]
    queue.value("select pgqueue.backfill_schedule('s', %s, %s)::text", NOON, NOON + 3 * hour)
    assert run(queue) == 0
    after = schedule(queue, "s")
    assert (after["run_count"], after["backfill_to"], after["state"]) == (5, None, "active")
    assert after["next_due_at"] == NOON + 4 * hour


def test_a_long_backfill_goes_on_where_it_stopped(queue: Queue, clock: Clock) -> None:
    patch(queue, "s", cron="* * * * *", type="t")
    queue.value(
        "select pgqueue.backfill_schedule('s', %s, %s)::text", NOON - timedelta(days=1), NOON
    )
    assert tick(queue) == 500
    assert run(queue) == 940
    assert len(slots(queue, "s")) == 1440


def test_one_bad_row_does_not_stop_the_others(queue: Queue, clock: Clock) -> None:
    patch(queue, "impossible", cron="0 0 30 2 *", type="t")
    patch(queue, "random", cron="R * * * *", type="t")
    patch(queue, "elsewhere", cron="0 * * * *", type="t", timezone="Mars/Olympus")
    patch(queue, "bad", cron="0 * * * *", type="t")
    patch(queue, "good", cron="0 * * * *", type="t")
    set_priority = "update pgqueue_private.schedule set options = %s where name = 'bad' returning 1"
    queue.value(set_priority, Jsonb({"priority": 11}))
    run(queue)
    for name in ("impossible", "random", "elsewhere"):
        assert schedule(queue, name)["state"] == "invalid"
        assert schedule(queue, name)["error"]
    clock.move(hours=1)
    assert run(queue) == 1
    assert (fates(queue, "good"), fates(queue, "bad")) == (["enqueued"], ["skipped"])
    assert "out of range" in schedule(queue, "bad")["error"]
    assert "out of range" in slots(queue, "bad")[0]["reason"]
    assert schedule(queue, "bad")["next_due_at"] == NOON + timedelta(hours=2)
    queue.value(set_priority, Jsonb({"priority": 5}))
    clock.move(hours=1)
    assert run(queue) == 2
    assert schedule(queue, "bad")["error"] is None
    patch(queue, "random", cron="1 * * * *")
    run(queue)
    assert schedule(queue, "random")["state"] == "active"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"type": "t"},
        {"type": "t", "cron": "* * * * *", "run_at": "2030-01-01T00:00:00Z"},
        {"type": "t", "cron": "* * * *"},
        {"type": "t", "cron": "* * * * * *"},
        {"type": "t", "cron": "*  * * * *"},
        {"type": "t", "cron": "1" * 99 + " * * * *"},
        {"type": "t", "cron": "* * * * *", "jitter_s": -1},
        {"type": "t", "cron": "* * * * *", "jitter_s": 1e6},
        {"type": "t", "cron": "* * * * *", "missed": "some"},
        {"type": "t", "cron": "* * * * *", "missed_max": 0},
        {"type": "t", "cron": "* * * * *", "overlap": "maybe"},
        {"type": "t", "cron": "* * * * *", "priority": 11},
        {"type": "t", "cron": "* * * * *", "retry": {"kind": "cubic"}},
        {"type": "t", "cron": "* * * * *", "unknown": 1},
        {"type": "t", "cron": "* * * * *", "starts_at": "2030-01-02", "ends_at": "2030-01-01"},
        {"type": "t", "run_at": "2030-01-02", "ends_at": "2030-01-03"},
        {"type": "t", "run_at": "infinity"},
        {"type": "", "cron": "* * * * *"},
    ],
)
def test_what_cannot_be_right_is_refused_with_the_reason(queue: Queue, settings: dict) -> None:
    with pytest.raises(psycopg.Error) as error:
        patch(queue, "s", **settings)
    assert error.value.sqlstate == "PQ004"
    assert error.value.diag.message_hint
    assert queue.count("schedule") == 0


@pytest.mark.parametrize(
    "name", ["", "a b", "x" * 101, "a/b", "019b2f6e-8a3c-7d12-8000-0a1b2c3d4e5f"]
)
def test_a_name_is_plain_and_no_id(queue: Queue, name: str) -> None:
    with pytest.raises(psycopg.Error) as error:
        patch(queue, name, cron="* * * * *", type="t")
    assert error.value.sqlstate == "PQ004"
    assert queue.count("schedule") == 0


def test_a_change_needs_the_version_it_names_and_nothing_changed_is_no_change(queue: Queue) -> None:
    assert patch(queue, "s", [0], cron="* * * * *", type="t") == 1
    assert patch(queue, "s", [0], cron="* * * * *", type="t") is None
    assert patch(queue, "s", [7], type="u") is None
    assert patch(queue, "s", [1], type="u") == 2
    assert patch(queue, "s", type="u") == 2
    id = str(schedule(queue, "s")["id"])
    assert patch(queue, id, type="v") == 3
    assert queue.value("select pgqueue.delete_schedule('s', array[1]::bigint[])") is False
    assert queue.value("select pgqueue.delete_schedule(%s)", id) is True
    assert queue.value("select pgqueue.delete_schedule('s')") is False
    assert queue.count("schedule_slot") == 0


def test_what_changes_nothing_keeps_the_version_when_an_option_is_new(queue: Queue) -> None:
    patch(queue, "s", type="t", cron="0 * * * *", priority=3)
    known = schedule(queue, "s")
    assert known["options"] == {"priority": 3}  # only what was given: an option added later is not
    for same in ({}, {"priority": 3}, {"queue": None}):
        assert patch(queue, "s", **same) == known["version"]
    assert patch(queue, "s", queue="other") == known["version"] + 1
    patch(queue, "s", priority=None)
    assert schedule(queue, "s")["options"] == {"queue": "other"}
