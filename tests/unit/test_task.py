"""What callers submit and read: NewTask and its words."""

import dataclasses
import re
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import orjson
import pytest
from pydantic import BaseModel, SecretStr

from pgqueue import EnqueueOptions, NewTask, Outcome, ScheduleOptions, Status, UsageError
from pgqueue.database.queries import SQL
from pgqueue.models.schedule import ScheduleSettings
from pgqueue.models.tasks.options import sql_names
from pgqueue.models.tasks.status import FINAL
from pgqueue.models.tasks.task import RunOptions, StoredScheduleOptions, TaskInput, TaskOptions
from pgqueue.models.values import encode, parse_priority, seconds


def test_a_row_holds_only_what_was_given() -> None:
    assert NewTask("t").as_row() == {"type": "t", "payload": {}}


def test_a_row_holds_all_that_was_given() -> None:
    at = datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    task = NewTask(
        "t",
        [1],
        queue="q",
        priority="high",
        run_at=at,
        max_attempts=7,
        timeout=timedelta(minutes=1),
    )
    assert task.as_row("00-trace") == {
        "type": "t",
        "payload": [1],
        "queue": "q",
        "priority": 2,
        "run_at": "2030-01-02T03:04:05+02:00",
        "max_attempts": 7,
        "timeout_s": 60.0,
        "traceparent": "00-trace",
    }


@pytest.mark.parametrize(
    ("given", "hint"),
    [("prioriy", "did you mean priority?"), ("delay_s", "did you mean delay?"), ("x", "it has ba")],
)
def test_an_option_that_there_is_not_is_refused_with_those_like_it(given: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"a task has no option '{given}'") as caught:
        NewTask("t", **{given: 1})
    assert caught.value.hint.startswith(hint)


def test_python_and_the_api_have_the_same_options() -> None:
    of_tasks, of_schedules = sql_names(EnqueueOptions), sql_names(ScheduleOptions)
    assert set(of_tasks.values()) == TaskInput.model_fields.keys() - {"type", "payload"}
    assert set(of_schedules.values()) == ScheduleSettings.model_fields.keys() - {"type", "payload"}
    shown = {name for name in TaskOptions.model_fields if name != "payload"}
    assert shown == StoredScheduleOptions.model_fields.keys() == set(sql_names(RunOptions).values())


@pytest.mark.parametrize("delay", [90, 90.0, timedelta(seconds=90)])
def test_a_delay_is_left_to_the_databases_clock(delay: object) -> None:
    assert NewTask("t", delay=delay).as_row()["delay_s"] == 90


@pytest.mark.parametrize("falsy", [0, False, "", []])
def test_a_payload_that_is_false_is_a_payload(falsy: object) -> None:
    assert NewTask("t", falsy).as_row()["payload"] is falsy


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(UsageError, match="no time zone"):
        NewTask("t", run_at=datetime(2030, 1, 1)).as_row()  # noqa: DTZ001


def test_an_expiry_is_a_time_with_a_zone_or_a_duration() -> None:
    at = datetime(2030, 1, 1, tzinfo=UTC)
    assert NewTask("t", expires_at=at).as_row()["expires_at"] == "2030-01-01T00:00:00+00:00"
    assert NewTask("t", expires_in=timedelta(minutes=1)).as_row()["expires_in_s"] == 60
    with pytest.raises(UsageError, match="expires_at and expires_in are both set"):
        NewTask("t", expires_at=at, expires_in=1).as_row()
    with pytest.raises(UsageError, match="has no time zone"):
        NewTask("t", expires_at=at.replace(tzinfo=None)).as_row()


def test_a_time_and_a_delay_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="both set"):
        NewTask("t", run_at=datetime.now(UTC), delay=5).as_row()


@pytest.mark.parametrize(
    ("given", "number"), [("high", 2), ("normal", 5), ("low", 8), (0, 0), (10, 10), (None, None)]
)
def test_a_priority_is_a_word_or_a_number(given: object, number: int | None) -> None:
    assert parse_priority(given) == number


@pytest.mark.parametrize("given", ["urgent", "", "5", -1, 11, True, 10**30])
def test_any_other_priority_is_refused(given: object) -> None:
    with pytest.raises(UsageError) as caught:
        parse_priority(given)
    assert "high, normal, low" in str(caught.value.hint)


def test_durations_are_seconds() -> None:
    assert seconds(timedelta(minutes=2, milliseconds=5)) == 120.005
    assert seconds(7) == 7
    assert seconds(None) is None


def test_final_statuses_are_final() -> None:
    assert {status for status in Status if status.final} == FINAL
    assert len(Status) == 8


def test_the_words_of_sql_and_python_are_the_same() -> None:
    text = (SQL / "migrations" / "0001_tasks.sql").read_text()
    found = re.search(r"outcome in \((.*?)\)", text, re.DOTALL)
    assert found is not None
    assert set(re.findall(r"'(\w+)'", found[1])) == {outcome.value for outcome in Outcome}


class _Model(BaseModel):
    day: date
    items: list[int] = []


@dataclasses.dataclass
class _Data:
    at: datetime


def test_models_dataclasses_and_the_like_are_stored_as_json() -> None:
    value = {
        "model": _Model(day=date(2030, 1, 2)),
        "data": _Data(datetime(2030, 1, 2, tzinfo=UTC)),
        "id": uuid.UUID(int=7),
        "set": {3, 1, 2},
        "wait": timedelta(seconds=1.5),
        7: "keys become strings",
        "nested": [{"model": _Model(day=date(2030, 1, 2), items=[1])}],
    }
    assert orjson.loads(encode(value)) == {
        "model": {"day": "2030-01-02", "items": []},
        "data": {"at": "2030-01-02T00:00:00Z"},
        "id": "00000000-0000-0000-0000-000000000007",
        "set": [1, 2, 3],
        "wait": 1.5,
        "7": "keys become strings",
        "nested": [{"model": {"day": "2030-01-02", "items": [1]}}],
    }


def _deep() -> list:
    value: list = []
    for _ in range(10_000):
        value = [value]
    return value


def _circular() -> list:
    value: list = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        "a\0b",
        {"a\0": 1},
        {"a": [{"b": "\0"}]},
        "\ud800",
        2**64,
        object(),
        b"bytes",
        Decimal("1.5"),
        [float("nan")],
        {"a": float("inf")},
        SecretStr("hunter2"),
        _deep(),
        _circular(),
    ],
    ids=["nul", "nul in a key", "nul inside", "surrogate", "65 bits", "object", "bytes", "decimal",
         "nan", "infinity", "secret", "deep", "circular"],
)  # fmt: skip
def test_what_cannot_be_stored_is_refused(value: object) -> None:
    with pytest.raises(UsageError) as caught:
        encode(value)
    assert caught.value.hint


def test_text_that_only_looks_like_a_nul_is_stored() -> None:
    assert orjson.loads(encode("\\u0000")) == "\\u0000"
