"""Outcomes: values that a handler returns or raises."""

import asyncio
import copy
import math
import pickle
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgqueue import Cancel, PgQueue, Retry, Snooze, UsageError
from pgqueue.handlers.ending import raised, returned

OUTCOMES = [
    Retry(),
    Retry(after=timedelta(seconds=3), reason="busy", slow="queue"),
    Snooze(5),
    Snooze(until=datetime(2030, 1, 1, tzinfo=UTC), reason="not yet"),
    Cancel(),
    Cancel("why"),
]


@contextmanager
def passing() -> Any:
    yield


@pytest.mark.parametrize("outcome", OUTCOMES, ids=repr)
def test_an_outcome_does_the_same_whether_it_is_returned_or_raised(outcome: Any) -> None:
    app = PgQueue()
    app.task("t", no_retry=(Exception,))(lambda: None)
    with pytest.raises(type(outcome)) as caught, passing():
        raise outcome
    kind = app.types["t"]
    assert raised(caught.value, kind) == returned(outcome, kind)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=repr)
def test_an_outcome_is_a_value(outcome: Any) -> None:
    for same in (copy.copy(outcome), pickle.loads(pickle.dumps(outcome))):
        assert same == outcome
        assert hash(same) == hash(outcome)
        assert str(same) == repr(outcome)
    assert len(set(OUTCOMES)) == len(OUTCOMES)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "5", True, [], "2030-01-01"])
def test_what_is_no_time_or_delay_is_refused(value: Any) -> None:
    for make in (lambda: Retry(after=value), lambda: Snooze(until=value)):
        with pytest.raises(UsageError) as caught:
            make()
        assert repr(value) in str(caught.value)
        assert caught.value.hint


async def test_an_outcome_that_a_task_of_a_group_raises_is_one_and_two_are_an_error() -> None:
    app = PgQueue()
    app.task("t")(lambda: None)
    kind = app.types["t"]

    async def give_up(outcome: Exception) -> None:
        raise outcome

    async def together(outcomes: list[Exception]) -> None:
        async with asyncio.TaskGroup() as group:
            for outcome in outcomes:
                group.create_task(give_up(outcome))

    for outcomes in ([Cancel("why")], [Cancel("why"), Retry(after=3)]):
        with pytest.raises(ExceptionGroup) as caught:
            await together(outcomes)
        ending = raised(caught.value, kind)
        assert ending.outcome == ("cancelled" if len(outcomes) == 1 else "failed")
