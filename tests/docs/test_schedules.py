"""The chapter on schedules does what it says."""

import json
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import get_args

import httpx
import psycopg
import pytest

from pgqueue import PgQueue
from pgqueue.models.schedule import Missed, Overlap
from pgqueue.testing import drain, on_database
from tests.docs.blocks import ROOT, blocks
from tests.docs.calling import calling
from tests.docs.running import run

PAGE = "schedules.md"
DECLARED, PREVIEW, BY_HAND = blocks(PAGE, "python")
MAKE, SLOTS = blocks(PAGE, "sql")
TEXT = (ROOT / "docs" / PAGE).read_text()


@pytest.fixture
def names(database: str):
    names: dict = {"UTC": UTC, "datetime": datetime, "timedelta": timedelta}
    exec(DECLARED, names)
    with on_database(names["app"], database):
        yield names


@pytest.fixture
def app(names: dict) -> PgQueue:
    return names["app"]


@pytest.fixture
async def client(app: PgQueue, database: str) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(database) as client:
        yield client


async def test_what_is_declared_tells_its_handler_when_it_was_due(app: PgQueue) -> None:
    (declared,) = app.declared.values()
    options = declared.as_settings()
    await app.schedules.create(
        "daily-sales", declared.type, declared.payload, cron=options["cron"], overlap="skip"
    )
    assert (options["timezone"], options["overlap"]) == ("Europe/Berlin", "skip")
    id = await app.schedules.trigger("daily-sales")
    await drain(app)
    task = await app.get(id)
    assert task.run_at is not None
    assert task.result == f"sales, due {task.run_at.astimezone(UTC):%H:%M} UTC"


async def test_a_preview_of_the_chapter_prints_five_times(
    names: dict, capsys: pytest.CaptureFixture[str]
) -> None:
    await run(PREVIEW, PAGE, **names)
    assert len(re.findall(r"\d\d \w{3} 0[23]:[03]0 CES?T", capsys.readouterr().out)) == 5


async def test_the_calls_of_the_chapter_do_what_they_say(
    names: dict,
    app: PgQueue,
    client: httpx.AsyncClient,
    connect: Callable[..., psycopg.Connection],
    capsys: pytest.CaptureFixture[str],
) -> None:
    sent = re.search(r"-d '(\{.*?\})'", TEXT)
    assert sent is not None
    body = json.loads(sent[1])
    await drain(app)  # publishes the types
    made = await client.post("/v1/schedules", json=body)
    assert made.status_code == 201, made.text
    await run(BY_HAND, PAGE, **names)
    assert "trigger enqueued" in capsys.readouterr().out
    changed = await app.schedules.get("hourly-sales")
    assert (changed.cron, changed.state) == ("15 * * * *", "active")
    assert changed.backfill_to is not None
    (slot,) = connect().execute(SLOTS).fetchall()
    assert slot[1:3] == ("trigger", "enqueued")


def test_the_sql_of_the_chapter_runs(connect: Callable[..., psycopg.Connection]) -> None:
    connection = connect()
    *statements, look = [part for part in MAKE.split(";\n") if part.strip()]
    for statement in statements:
        connection.execute(statement)
    rows = connection.execute(look).fetchall()
    assert [row[:2] for row in rows] == [("launch", "active"), ("weekly-sales", "new")]


@pytest.mark.parametrize("setting", [Missed, Overlap])
def test_the_chapter_names_each_word_that_a_setting_takes(setting: object) -> None:
    for word in get_args(setting):
        assert f"`{word}`" in TEXT
