"""The duties of a supervisor: each on its own, all of them seen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from pgqueue_worker.duties import DUTIES, Duty, Tools
from pgqueue_worker.duties.maintenance import Maintenance

from tests.worker.conftest import Bench, eventually


@pytest.fixture(autouse=True)
def recorded_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgqueue_worker.duties.maintenance._RECORD_S", 0.1)
    monkeypatch.setattr("pgqueue_worker.duties.maintenance._FAILED_S", 0.1)


@asynccontextmanager
async def doing(bench: Bench, *duties: Duty) -> AsyncIterator[None]:
    maintenance = Maintenance(
        bench.dsn,
        ring=lambda _: None,
        on_samples=lambda _samples, _unhandled: None,
        on_dead_letters=lambda _: None,
        name="here:1",
        duties=duties,
    )
    work = asyncio.create_task(maintenance.run())
    yield
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


async def seen(bench: Bench, condition: str, *parameters: Any) -> list[dict[str, Any]]:
    look = f"select * from pgqueue.maintenance where {condition}"
    await asyncio.to_thread(eventually, lambda: bench.rows(look, *parameters), condition)
    return bench.rows(look, *parameters)


def duty(name: str) -> Duty:
    (found,) = [duty for duty in DUTIES if duty.name == name]
    return found


def test_each_duty_of_a_supervisor_is_seen_with_its_last_run(bench: Bench) -> None:
    bench.start()
    eventually(
        lambda: (
            bench.value(
                "select count(*) from pgqueue.maintenance where last_finished_at > '-infinity'"
            )
            == len(DUTIES)
        ),
        "each duty has run",
    )
    rows = {row["duty"]: row for row in bench.rows("select * from pgqueue.maintenance")}
    assert rows.keys() == {duty.name for duty in DUTIES}
    supervisor = bench.value("select supervisor from pgqueue_private.worker")
    for row in rows.values():
        assert (row["state"], row["lag_s"], row["last_error"]) == ("ok", 0, None)
        assert row["run_by"] == supervisor


async def test_a_duty_that_is_stuck_holds_up_no_other_and_shows_its_lag(bench: Bench) -> None:
    with psycopg.connect(bench.dsn) as blocker:
        blocker.execute("lock table pgqueue_private.queue_sample in access exclusive mode")
        async with doing(bench, duty("sample"), duty("fold"), duty("promote")):
            waiting = """select exists (
                select from pg_stat_activity
                where application_name = 'pgqueue maintenance' and query like '%sample_queues%'
                    and wait_event_type = 'Lock'
            )"""
            await asyncio.to_thread(eventually, lambda: bench.value(waiting), "it waits")
            id = bench.enqueue_many([{"type": "t", "delay_s": 0.05}])[0]
            await asyncio.to_thread(
                eventually, lambda: bench.task(id)["status"] == "queued", "others go on"
            )
            rows = await seen(bench, "duty = 'sample' and state = 'failing'")
            assert "lock timeout" in rows[0]["last_error"]
            assert rows[0]["last_finished_at"] is None
            (promoting,) = await seen(bench, "duty = 'promote' and last_finished_at is not null")
            assert promoting["state"] == "ok"
            blocker.rollback()
            await seen(bench, "duty = 'sample' and state = 'ok'")
    bench.value("select pgqueue_private.shift_clock('40 s')::text")
    late = {row["duty"]: row for row in bench.rows("select * from pgqueue.maintenance")}
    assert late["promote"]["state"] == late["sample"]["state"] == "late"
    assert late["promote"]["lag_s"] >= 30


async def test_a_statement_of_a_duty_is_cut_off_in_time(bench: Bench) -> None:
    with psycopg.connect(bench.dsn) as blocker:
        blocker.execute("lock table pgqueue_private.queue_sample in access exclusive mode")
        slow = Duty("slow", duty("sample").work, 1.0, statement_timeout_s=0.2, lock_timeout_s=30)
        async with doing(bench, slow):
            (row,) = await seen(bench, "duty = 'slow' and state = 'failing'")
            assert "statement timeout" in row["last_error"]


async def test_a_duty_that_raises_is_done_again(bench: Bench) -> None:
    runs = []

    async def work(tools: Tools) -> None:
        runs.append(1)
        if len(runs) < 3:
            await tools.link.rows("redrive_task", {"id": "no id"})

    async with doing(bench, Duty("odd", work, 0.01)):
        (row,) = await seen(bench, "duty = 'odd' and last_finished_at > last_error_at")
        assert "invalid input syntax" in row["last_error"]


def test_two_supervisors_tell_of_a_duty_once_in_two_seconds(bench: Bench) -> None:
    record = """select pgqueue_private.record_duties(jsonb_build_array(jsonb_build_object(
                    'name', 'd', 'interval_s', 1, 'started_ago_s', %s::float8,
                    'finished_ago_s', %s::float8, 'due_ago_s', -1, 'duration_s', 0.1)), %s)::text"""
    place = "select ctid::text from pgqueue_private.duty"
    bench.value(record, 10, 9.9, "a:1")
    first = bench.value(place)
    bench.value(record, 9, 8.9, "b:1")
    assert bench.value(place) == first
    bench.value(record, 1, 0.9, "b:1")
    assert bench.value(place) != first
    bench.value(record, 8, 7.9, "a:1")  # older than what is known
    assert bench.value("select run_by from pgqueue.maintenance") == "b:1"


@pytest.mark.unpooled("it looks for its own session by its pid")
async def test_a_day_that_had_its_time_is_pruned_and_one_in_use_says_who_reads_it(
    bench: Bench,
) -> None:
    id = bench.enqueue("t")
    bench.value("select pgqueue.cancel(%s)", id)
    bench.value("select pgqueue_private.shift_clock('9 days')::text")
    gone = "select not exists (select from pgqueue.tasks)"
    with psycopg.connect(bench.dsn, application_name="report") as reader:
        reader.execute("select count(*) from pgqueue.tasks")
        old = """select xact_start < clock_timestamp() - interval '2 s' from pg_stat_activity
                 where application_name = 'report'"""
        await asyncio.to_thread(eventually, lambda: bench.value(old), "it is a long reader")
        async with doing(bench, duty("prune_days")):
            (row,) = await seen(bench, "duty = 'prune_days' and state = 'failing'")
            reading = f"pid {reader.info.backend_pid} (report) has been reading the tasks"
            assert reading in row["last_error"]
            assert not bench.value(gone)
            reader.rollback()
            await asyncio.to_thread(eventually, lambda: bench.value(gone), "the day goes")
