"""Schedules with workers: declared in their code, due on time, run once."""

import signal
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from tests.worker.conftest import Bench, eventually

APP = ("--app", "tests.worker.scheduled:app")


def _declaring(**schedules: dict) -> dict[str, str]:
    return {"TEST_SCHEDULES": orjson.dumps(schedules).decode()}


def _states(bench: Bench) -> dict[str, str]:
    rows = bench.rows("select name, state from pgqueue.schedules")
    return {row["name"]: row["state"] for row in rows}


def test_what_the_code_declares_is_there_once_a_worker_has_started(bench: Bench) -> None:
    hourly = {"cron": "0 * * * *", "timezone": "Europe/Berlin", "payload": {"a": 1}}
    worker = bench.start(*APP, **_declaring(a=hourly, b={"cron": "5 * * * *"}))
    eventually(lambda: _states(bench) == {"a": "active", "b": "active"}, "both are active")
    a = bench.rows("select * from pgqueue.schedules where name = 'a'")[0]
    assert (a["declared_by"], a["version"]) == ("tests.worker.scheduled:app", 1)
    assert (a["cron"], a["timezone"], a["payload"]) == (*list(hourly.values())[:2], {"a": 1})
    bench.stop(worker)
    bench.start(*APP, **_declaring(a=hourly))
    eventually(lambda: _states(bench) == {"a": "active", "b": "paused"}, "b is paused")
    assert bench.value("select version from pgqueue.schedules where name = 'a'") == 1


def test_a_worker_whose_code_declares_what_cannot_be_does_not_start(bench: Bench) -> None:
    for options in ({"cron": "0 0 30 2 *"}, {"cron": "0 * * * *", "missed_max": 0}):
        worker = bench.start(*APP, wait=False, **_declaring(a=options))
        assert worker.wait(45) != 0
    assert "no date within 8 years matches" in bench.logs()
    assert "missed_max cannot be 0" in bench.logs()
    assert bench.value("select count(*) from pgqueue_private.schedule") == 0


@pytest.mark.parametrize("type", ["due", "due-apart"])
def test_a_handler_is_told_when_its_task_was_due(bench: Bench, type: str) -> None:
    at = datetime.now(UTC) + timedelta(seconds=1)
    bench.value("select pgqueue.set_schedule('once', %s, run_at => %s)", type, at)
    bench.start(*APP)
    eventually(
        lambda: bench.value("select last_task_id is not null from pgqueue.schedules"), "it is due"
    )
    task = bench.ended(bench.value("select last_task_id::text from pgqueue.schedules"))
    assert datetime.fromisoformat(task["result"]) == at
    assert task["started_at"] >= at
    plain = bench.ended(bench.enqueue(type))
    assert plain["result"] is None


def test_schedules_survive_the_death_of_every_scheduler(bench: Bench) -> None:
    bench.value(
        "select pgqueue.set_schedule('s', 'due', cron => '* * * * *', missed => 'all',"
        " starts_at => pgqueue.clock() + '1 hour')"
    )
    worker = bench.start(*APP)
    eventually(lambda: _states(bench) == {"s": "active"}, "it is read")
    first = bench.value("select next_due_at from pgqueue.schedules")
    bench.stop(worker, signal.SIGKILL)
    ahead = first + timedelta(minutes=5) - datetime.now(UTC)
    bench.value("select pgqueue_private.shift_clock(%s)::text", ahead)
    bench.start(*APP)
    bench.start(*APP)
    eventually(
        lambda: bench.value("select count(*) >= 6 from pgqueue.schedule_slots"), "all are due"
    )
    slots = bench.rows("select due_at, fate from pgqueue.schedule_slots order by due_at limit 6")
    assert [slot["due_at"] for slot in slots] == [first + timedelta(minutes=n) for n in range(6)]
    assert {slot["fate"] for slot in slots} == {"enqueued"}
    assert bench.value("select count(distinct task_id) from pgqueue.schedule_slots") == bench.value(
        "select count(*) from pgqueue_private.task"
    )
