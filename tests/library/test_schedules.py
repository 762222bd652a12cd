"""Schedules from Python."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel

from pgqueue import Backoff, Conflict, NewSchedule, NotFound, PgQueue, SyncClient, UsageError
from pgqueue.errors import Stale


async def test_a_schedule_is_made_read_changed_and_deleted(app: PgQueue) -> None:
    made = await app.schedules.create(
        *("nightly", "report", {"day": "today"}),
        cron="30 2 * * *",
        timezone="Europe/Berlin",
        priority="high",
        timeout=timedelta(minutes=5),
        retry=Backoff(kind="fixed", base=3),
        expires_in=timedelta(hours=1),
        jitter=timedelta(seconds=0),
        overlap="skip",
    )
    assert (made.name, made.state, made.payload) == ("nightly", "active", {"day": "today"})
    assert (made.priority, made.timeout_s, made.expires_in_s) == (2, 300, 3600)
    assert made.retry is not None
    assert made.retry["base_s"] == 3
    assert made.next_due_at is not None
    assert made.next_due_at.astimezone(ZoneInfo("Europe/Berlin")).minute in (30, 0)
    with pytest.raises(Conflict):
        await app.schedules.create("nightly", "report", cron="0 * * * *")
    changed = await app.schedules.update("nightly", cron="15 * * * *", priority=None)
    assert (changed.cron, changed.priority, changed.version) == ("15 * * * *", None, 2)
    with pytest.raises(Stale):
        await app.schedules.update("nightly", version=1, cron="0 * * * *")
    replaced = await app.schedules.put("nightly", "report", cron="0 * * * *")
    assert (replaced.payload, replaced.overlap, replaced.timezone) == ({}, "allow", "UTC")
    assert await app.schedules.get(made.id) == replaced
    assert await app.schedules.find() == [replaced]
    assert await app.schedules.find(after=replaced) == []
    await app.schedules.delete("nightly")
    for call in (
        app.schedules.get("nightly"),
        app.schedules.delete("nightly"),
        app.schedules.update("nightly", enabled=False),
        app.schedules.pause("nightly"),
        app.schedules.resume("nightly"),
        app.schedules.trigger("nightly"),
        app.schedules.backfill("nightly", datetime.now(UTC), datetime.now(UTC)),
    ):
        with pytest.raises(NotFound):
            await call


async def test_a_schedule_is_paused_resumed_triggered_and_backfilled(app: PgQueue) -> None:
    await app.schedules.create("s", "t", cron="0 * * * *")
    assert (await app.schedules.pause("s")).state == "paused"
    resumed = await app.schedules.resume("s")
    assert resumed.state == "active"
    assert resumed.next_due_at is not None
    id = await app.schedules.trigger("s")
    assert (await app.get(id)).type == "t"
    (slot,) = await app.schedules.slots("s")
    assert (slot.kind, slot.fate, str(slot.task_id)) == ("trigger", "enqueued", id)
    assert await app.schedules.slots("s", before=slot) == []
    now = datetime.now(UTC)
    await app.schedules.backfill("s", now - timedelta(days=1), now)
    assert (await app.schedules.get("s")).backfill_to == now


async def test_a_preview_gives_the_next_times_in_the_zone(app: PgQueue) -> None:
    times = await app.schedules.preview("0 9 * * *", "Asia/Tokyo", n=3)
    assert [(at.hour, at.utcoffset()) for at in times] == [(9, timedelta(hours=9))] * 3


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cron": "0 0 31 2 *"},
        {"cron": "* * * * *", "timezone": "Nowhere/City"},
        {"cron": "* * * * *", "run_at": datetime.now(UTC)},
        {"run_at": datetime(2030, 1, 1)},  # noqa: DTZ001
        {"cron": "* * * * *", "starts_at": datetime(2030, 1, 1)},  # noqa: DTZ001
        {"cron": "* * * * *", "priority": "urgent"},
        {"cron": "* * * * *", "missed": "sometimes"},
    ],
)
async def test_what_cannot_be_right_is_refused(app: PgQueue, options: dict) -> None:
    with pytest.raises(UsageError):
        await app.schedules.create("s", "t", **options)
    with pytest.raises(UsageError):
        await app.schedules.update("s", every="day")
    assert await app.schedules.find() == []


def test_schedules_are_declared_once_and_taken_over_with_an_app() -> None:
    class Order(BaseModel):
        number: int

    one, other = PgQueue(), PgQueue()
    one.schedule("a", "t", Order(number=1), cron="0 * * * *")
    one.schedule("a", "t", Order(number=1), cron="0 * * * *")
    other.include(one)
    assert other.declared == {"a": NewSchedule("t", Order(number=1), cron="0 * * * *")}
    for declare in (
        lambda: other.schedule("a", "t", cron="5 * * * *"),
        lambda: other.schedule("b", "t", cron="never"),
    ):
        with pytest.raises(UsageError):
            declare()
    clash = PgQueue()
    clash.schedule("a", "u", cron="0 * * * *")
    with pytest.raises(UsageError):
        other.include(clash)


def test_plain_functions_have_the_same_calls(database: str) -> None:
    with SyncClient(database) as client:
        schedules = client.schedules
        made = schedules.create("s", "t", cron="0 * * * *")
        assert schedules.get("s") == made
        assert schedules.find() == [made]
        assert schedules.update("s", cron="5 * * * *").version == 2
        assert schedules.put("s", "t", cron="0 * * * *").version == 3
        assert schedules.pause("s").state == "paused"
        assert schedules.resume("s").state == "active"
        id = schedules.trigger("s")
        assert [str(slot.task_id) for slot in schedules.slots("s")] == [id]
        now = datetime.now(UTC)
        schedules.backfill("s", now - timedelta(hours=2), now)
        assert len(schedules.preview("* * * * *")) == 5
        schedules.delete("s")
        assert schedules.find() == []
