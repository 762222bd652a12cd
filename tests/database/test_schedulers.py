"""Many schedulers, crashes, clocks that jump, changes at the wrong moment: 0 double, 0 missing."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from pgqueue.planning import plan
from tests.database.queue import Queue
from tests.database.schedules import Clock, due, fates, fire, patch, run, schedule, slots, tick

pytestmark = pytest.mark.usefixtures("running_clock")

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock(queue: Queue) -> Clock:
    return Clock(queue, NOON + timedelta(seconds=90))


def _set_due(queue: Queue, at: datetime) -> None:
    queue.value(
        "update pgqueue_private.schedule set next_due_at = %s, look_at = %s returning 1", at, at
    )


def test_two_schedulers_enqueue_ten_thousand_due_times_once_each(
    queue: Queue, clock: Clock
) -> None:
    schedules, minutes = 50, 200
    for n in range(schedules):
        patch(queue, f"s{n}", cron="* * * * *", type="t", missed="all", missed_max=1000)
    run(queue)
    done = threading.Event()
    fired = Counter()

    def scheduler(name: str, session: Queue) -> None:
        while not done.is_set():
            fired[name] += tick(session, 7)

    threads = [
        threading.Thread(target=scheduler, args=(name, queue.session())) for name in ("a", "b")
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in range(0, minutes, 4):  # a few ticks at a time, whether the last are dealt with
            clock.move(minutes=4)
        queue.until(
            "select not exists (select from pgqueue_private.schedule "
            "where look_at <= pgqueue.clock())"
        )
    finally:
        done.set()
        for thread in threads:
            thread.join()
    expected = [NOON + MINUTE * n for n in range(2, minutes + 2)]
    for n in range(schedules):
        found = [slot["due_at"] for slot in slots(queue, f"s{n}") if slot["fate"] == "enqueued"]
        assert found == expected
    assert sum(fired.values()) == queue.count("task") == schedules * minutes
    assert (
        queue.value("select count(distinct task_id) from pgqueue_private.schedule_slot") == 10_000
    )
    assert min(fired.values()) > 0, "one of them did nothing"
    leases = queue.claim(queue.worker(1e6), 10_000)
    refused = queue.value(
        "select refused from pgqueue_private.finish('[]', %s::uuid[], %s::bigint[])",
        [lease["task_id"] for lease in leases],
        [lease["lease_id"] for lease in leases],
    )
    assert (len(leases), refused) == (10_000, [])


def test_a_scheduler_that_dies_leaves_what_it_took_to_the_others(
    queue: Queue, clock: Clock
) -> None:
    patch(queue, "s", cron="0 * * * *", type="t")
    run(queue)
    clock.set(NOON + HOUR)
    for fires_first in (False, True):
        dying = queue.session()
        dying.connection.execute("begin")
        rows = due(dying)
        assert len(rows) == 1
        assert due(queue) == []  # it is in its hands
        if fires_first:
            assert fire(dying, [plan(row) for row in rows]) == 1
        dying.connection.close()
        queue.until("select count(*) = 1 from pgqueue_private.due_schedules(10)")
    assert queue.count("task") == 0
    assert run(queue) == 1
    assert fates(queue, "s") == ["enqueued"]


def test_a_schedule_that_one_scheduler_has_in_hand_keeps_nobody_from_the_others(
    queue: Queue, clock: Clock
) -> None:
    for name in ("a", "b"):
        patch(queue, name, cron="0 * * * *", type="t")
    run(queue)
    clock.set(NOON + HOUR)
    with queue.holding() as other:
        (taken,) = due(other, 1)
        with queue.waiting_for_nobody():
            assert tick(queue) == 1
        assert fire(other, [plan(taken)]) == 1
    assert run(queue) == 0
    assert fates(queue, "a") == fates(queue, "b") == ["enqueued"]


def test_the_same_plan_carried_out_twice_enqueues_once(queue: Queue, clock: Clock) -> None:
    patch(queue, "s", cron="0 * * * *", type="t")
    run(queue)
    clock.set(NOON + HOUR)
    plans = [plan(row) for row in due(queue)]
    assert sorted(queue.at_once(2, lambda session: fire(session, plans))) == [0, 1]
    assert fates(queue, "s") == ["enqueued"]


def test_a_due_time_is_unique_whatever_a_scheduler_thinks(queue: Queue, clock: Clock) -> None:
    patch(queue, "s", cron="0 * * * *", type="t")
    run(queue)
    clock.set(NOON + HOUR)
    run(queue)
    queue.value(
        "update pgqueue_private.schedule set next_due_at = %s, look_at = %s returning 1",
        *[NOON + HOUR] * 2,
    )
    assert run(queue) == 0
    assert queue.count("task") == 1
    with pytest.raises(psycopg.errors.UniqueViolation):
        queue.value(
            """insert into pgqueue_private.schedule_slot (schedule_id, due_at, at, fate)
               select schedule_id, due_at, at, fate
               from pgqueue_private.schedule_slot returning 1"""
        )


@pytest.mark.parametrize(("cron", "expected"), [("0 13 * * *", 1), ("0 14 * * *", 0)])
def test_a_change_of_the_expression_while_it_is_due_wins(
    queue: Queue, clock: Clock, cron: str, expected: int
) -> None:
    patch(queue, "s", cron="0 * * * *", type="t")
    run(queue)
    clock.set(NOON + HOUR)
    plans = [plan(row) for row in due(queue)]
    patch(queue, "s", cron=cron)
    assert fire(queue, plans) == 0
    assert run(queue) == expected
    assert len(slots(queue, "s")) == expected
    clock.set(NOON + HOUR * 2)
    assert run(queue) == 1 - expected


def test_a_change_waits_for_the_scheduler_that_has_the_schedule_in_hand(
    queue: Queue, clock: Clock
) -> None:
    patch(queue, "s", cron="0 * * * *", type="t")
    run(queue)
    clock.set(NOON + HOUR)
    with queue.holding() as scheduler:
        rows = due(scheduler)
        changed = queue.blocked(lambda session: patch(session, "s", cron="30 * * * *"))
        assert fire(scheduler, [plan(row) for row in rows]) == 1
    assert changed.result(45) == 2
    assert run(queue) == 0
    assert schedule(queue, "s")["next_due_at"] == NOON + HOUR * 1.5


def test_a_clock_that_jumps_an_hour_back_repeats_nothing(queue: Queue, clock: Clock) -> None:
    patch(queue, "s", cron="*/20 * * * *", type="t")
    run(queue)
    for minutes in (20, 40, 60):
        clock.set(NOON + MINUTE * minutes)
        assert run(queue) == 1
    clock.set(NOON + timedelta(seconds=1))
    assert run(queue) == 0
    patch(queue, "s", cron="*/10 * * * *")
    for minutes in (10, 20, 30, 40, 50, 60):
        clock.set(NOON + MINUTE * minutes)
        assert run(queue) == 0
    clock.set(NOON + MINUTE * 70)
    assert run(queue) == 1
    assert [slot["due_at"] for slot in slots(queue, "s")] == [
        NOON + MINUTE * n for n in (20, 40, 60, 70)
    ]


def test_a_clock_that_jumps_an_hour_ahead_leaves_a_fate_for_each_due_time(
    queue: Queue, clock: Clock
) -> None:
    patch(queue, "s", cron="*/20 * * * *", type="t")
    run(queue)
    clock.set(NOON + HOUR)
    assert run(queue) == 1
    assert fates(queue, "s") == ["missed", "missed", "enqueued"]


def test_due_times_that_change_with_the_zone_data_move_and_are_not_missed(
    queue: Queue, clock: Clock
) -> None:
    patch(queue, "s", cron="0 15 * * *", type="t")
    run(queue)
    # as it was computed before a government decided otherwise
    queue.value(
        "update pgqueue_private.schedule set next_due_at = %s, look_at = %s returning 1",
        *[NOON + HOUR] * 2,
    )
    clock.set(NOON + HOUR)
    assert run(queue) == 0
    assert (slots(queue, "s"), schedule(queue, "s")["next_due_at"]) == ([], NOON + HOUR * 3)


def _touched(queue: Queue) -> tuple[int, int]:
    row = queue.row(
        """select sum(seq_scan)::int as scans, sum(idx_tup_fetch)::int as rows
           from pg_stat_xact_user_tables where relname in ('schedule', 'schedule_slot')"""
    )
    return row["scans"], row["rows"]


@pytest.mark.parametrize("analysed", ["never", "while empty", "while full"])
def test_a_scheduler_touches_its_batch_and_no_other_schedule(
    queue: Queue, clock: Clock, analysed: str
) -> None:
    if analysed == "while empty":
        queue.rows("analyze pgqueue_private.schedule, pgqueue_private.schedule_slot")
    queue.value(
        """select count(pgqueue.set_schedule('s' || n, 't', cron => '0 * * * *', overlap => 'skip'))
           from generate_series(1, 400) as n"""
    )
    run(queue)
    clock.set(NOON + HOUR)
    run(queue)
    if analysed == "while full":
        queue.rows("analyze pgqueue_private.schedule, pgqueue_private.schedule_slot")
    clock.set(NOON + HOUR * 2)
    with queue.connection.transaction():
        scans, rows = _touched(queue)
        assert fire(queue, [plan(row) for row in due(queue, 20)]) == 0
        scans_after, rows_after = _touched(queue)
    assert scans_after == scans
    assert rows_after - rows < 20 * 15


# a predecessor that has not ended


def _next(queue: Queue, clock: Clock) -> int:
    clock.set(schedule(queue, "s")["next_due_at"] + timedelta(seconds=1))
    return run(queue)


def test_overlap_allow_enqueues_whatever_runs(queue: Queue, clock: Clock) -> None:
    patch(queue, "s", cron="0 * * * *", type="t", overlap="allow")
    run(queue)
    assert [_next(queue, clock), _next(queue, clock)] == [1, 1]


def test_overlap_skip_waits_for_the_next_due_time_after_the_predecessor_ended(
    queue: Queue, clock: Clock
) -> None:
    worker = queue.worker(1e6)
    patch(queue, "s", cron="0 * * * *", type="t", overlap="skip")
    run(queue)
    assert [_next(queue, clock), _next(queue, clock)] == [1, 0]
    (lease,) = queue.claim(worker)
    assert _next(queue, clock) == 0
    assert lease["task_id"] in slots(queue, "s")[-1]["reason"]
    queue.finish(lease)
    assert _next(queue, clock) == 1
    assert fates(queue, "s") == ["enqueued", "skipped", "skipped", "enqueued"]


def test_overlap_skip_counts_every_task_of_the_schedule(queue: Queue, clock: Clock) -> None:
    worker = queue.worker(1e6)
    patch(queue, "s", cron="0 * * * *", type="t")
    run(queue)
    assert [_next(queue, clock), _next(queue, clock)] == [1, 1]
    patch(queue, "s", overlap="skip")
    first, second = queue.claim(worker)
    queue.finish(second)
    assert _next(queue, clock) == 0
    queue.finish(first)
    assert _next(queue, clock) == 1


def test_overlap_cancel_previous_cancels_what_waits_and_asks_what_runs(
    queue: Queue, clock: Clock
) -> None:
    worker = queue.worker(1e6)
    patch(queue, "s", cron="0 * * * *", type="t", overlap="cancel_previous")
    run(queue)
    assert [_next(queue, clock), _next(queue, clock)] == [1, 1]
    first, second = (str(slot["task_id"]) for slot in slots(queue, "s"))
    assert (queue.status(first), queue.status(second)) == ("cancelled", "queued")
    queue.claim(worker)
    assert _next(queue, clock) == 1
    task = queue.task(second)
    assert (task["status"], task["status_reason"]) == ("active", "cancel requested")


def test_overlap_queue_one_lets_one_wait_until_the_predecessor_has_ended(
    queue: Queue, clock: Clock
) -> None:
    worker = queue.worker(1e6)
    patch(queue, "s", cron="0 * * * *", type="t", overlap="queue_one")
    run(queue)
    assert [_next(queue, clock), _next(queue, clock), _next(queue, clock)] == [1, 0, 0]
    assert fates(queue, "s") == ["enqueued", "waiting", "skipped"]
    (lease,) = queue.claim(worker)
    clock.move(seconds=2)
    assert tick(queue) == 0
    queue.finish(lease)
    clock.move(seconds=2)
    assert tick(queue) == 1
    assert fates(queue, "s") == ["enqueued", "enqueued", "skipped"]
    waited = slots(queue, "s")[1]
    assert queue.task(waited["task_id"])["run_at"] == waited["due_at"]
    clock.move(seconds=2)
    assert (tick(queue), schedule(queue, "s")["run_count"]) == (0, 2)


def test_a_pause_takes_the_place_in_line_away(queue: Queue, clock: Clock) -> None:
    worker = queue.worker(1e6)
    patch(queue, "s", cron="0 * * * *", type="t", overlap="queue_one")
    run(queue)
    assert [_next(queue, clock), _next(queue, clock)] == [1, 0]
    queue.value("select pgqueue.pause_schedule('s')::text")
    assert fates(queue, "s") == ["enqueued", "skipped"]
    queue.finish(*queue.claim(worker))
    clock.move(seconds=2)
    assert run(queue) == 0


# what code declares, and what is kept


def _declare(queue: Queue, app: str, *declared: dict) -> list[str]:
    import orjson

    return queue.value(
        "select pgqueue_private.declare_schedules(%s, %s)", app, orjson.dumps(declared).decode()
    )


def test_what_an_app_declares_is_made_changed_and_paused_when_it_is_gone(
    queue: Queue, clock: Clock
) -> None:
    a = {"name": "a", "cron": "0 * * * *", "type": "t"}
    b = {"name": "b", "cron": "0 * * * *", "type": "t"}
    assert _declare(queue, "shop:app", a, b) == ["a", "b"]
    assert _declare(queue, "shop:app", a, b) == []
    patch(queue, "other", cron="0 * * * *", type="t")
    assert _declare(queue, "other:app", {**b, "name": "c"}) == ["c"]
    assert _declare(queue, "shop:app", {**a, "cron": "5 * * * *"}) == ["a", "b"]
    run(queue)
    assert schedule(queue, "a")["next_due_at"] == NOON + MINUTE * 5
    gone = schedule(queue, "b")
    assert (gone["state"], gone["declared_by"]) == ("paused", "shop:app")
    assert gone["undeclared_at"] is not None
    for name in ("c", "other"):
        assert schedule(queue, name)["state"] == "active"
    assert _declare(queue, "shop:app", a, b) == ["a", "b"]
    run(queue)
    assert schedule(queue, "b")["state"] == "active"


def test_what_code_declares_is_paused_by_hand_and_changed_in_the_code_only(queue: Queue) -> None:
    declared = {"name": "a", "cron": "0 * * * *", "type": "t"}
    _declare(queue, "shop:app", declared)
    for statement in (
        "select pgqueue.patch_schedule('a', '{\"cron\": \"1 * * * *\"}')",
        "select pgqueue.delete_schedule('a')",
    ):
        with pytest.raises(psycopg.Error) as error:
            queue.value(statement)
        assert error.value.sqlstate == "PQ003"
    queue.value("select pgqueue.pause_schedule('a')::text")
    assert _declare(queue, "shop:app", declared) == []
    assert schedule(queue, "a")["state"] == "paused"
    _declare(queue, "shop:app")
    assert queue.value("select pgqueue.delete_schedule('a')") is True


def test_slots_are_kept_for_a_week(queue: Queue, clock: Clock) -> None:
    patch(queue, "s", cron="0 12 * * *", type="t", missed="all")
    run(queue)
    for _ in range(9):
        _next(queue, clock)
    assert queue.value("select pgqueue_private.prune_schedule_slots(1)") == 1
    assert queue.value("select pgqueue_private.prune_schedule_slots()") == 1
    assert queue.value("select pgqueue_private.prune_schedule_slots()") == 0
    assert len(slots(queue, "s")) == 7
