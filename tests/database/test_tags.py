"""Tags: words that a task carries, to find it by."""

import re
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.database.queue import Queue

EVERYTHING = "ffffffff-ffff-ffff-ffff-ffffffffffff"


def listed(on: Queue, /, **filter: Any) -> set[str]:
    """Return the ids of all pages of a filter."""
    found: set[str] = set()
    before: str | None = EVERYTHING
    while before is not None:
        page = on.row(
            "select * from pgqueue_private.list_tasks(%s, '-infinity', 'infinity', %s, 2)",
            Jsonb(filter),
            before,
        )
        found |= {re.search(r'"id": "([^"]*)"', item)[1] for item in page["items"]}  # type: ignore[index]
        before = page["next_before"]
    return found


def test_tags_come_in_by_each_function_and_stay_in_the_order_given(queue: Queue) -> None:
    one = queue.enqueue(tags=["urgent", "tenant:7", "urgent"])
    (two,) = queue.enqueue_many({"type": "t", "tags": ["a b", "ü"]})
    ((three, _),) = queue.enqueue_unique({"type": "t", "dedup_key": "k", "tags": ["once"]})
    assert queue.task(one)["tags"] == ["urgent", "tenant:7", "urgent"]
    assert queue.task(two)["tags"] == ["a b", "ü"]
    assert queue.task(three)["tags"] == ["once"]


def test_a_task_without_tags_has_an_empty_list(queue: Queue) -> None:
    for id in (
        queue.enqueue(),
        queue.enqueue(tags=[]),
        *queue.enqueue_many({"type": "t", "tags": None}),
    ):
        assert queue.task(id)["tags"] == []


def test_as_many_and_as_long_as_allowed(queue: Queue) -> None:
    tags = [f"{n:0100}" for n in range(20)]
    assert queue.task(queue.enqueue(tags=tags))["tags"] == tags


@pytest.mark.parametrize(
    "tags",
    [["x"] * 21, [""], ["x" * 101], ["good", None], [["a", "b"], ["c", "d"]]],
    ids=["21", "empty", "101 characters", "null", "nested"],
)
def test_tags_out_of_range_are_refused_and_nothing_is_stored(queue: Queue, tags: list[Any]) -> None:
    with pytest.raises(psycopg.Error) as error:
        queue.enqueue_many({"type": "t"}, {"type": "t", "tags": tags})
    assert error.value.sqlstate == "PQ004"
    assert str(error.value).startswith("tags of task 1 is out of range")
    assert error.value.diag.message_hint == "tags is up to 20 texts of 1 to 100 characters"
    assert queue.count("task") == 0


def test_a_list_has_the_tasks_with_all_of_the_tags(queue: Queue) -> None:
    ids = queue.enqueue_many(
        {"type": "t", "tags": ["a"]},
        {"type": "t", "tags": ["b", "a"]},
        {"type": "u", "tags": ["c", "a", "b"], "queue": "other"},
        {"type": "t"},
        {"type": "t", "tags": ["ab"]},
    )
    a, ab, abc, _, _ = ids
    assert listed(queue) == set(ids)
    assert listed(queue, tags=["a"]) == {a, ab, abc}
    assert listed(queue, tags=["a", "b"]) == listed(queue, tags=["b", "a", "a"]) == {ab, abc}
    assert listed(queue, tags=["a", "x"]) == set()
    assert listed(queue, tags=["a"], type="u") == listed(queue, tags=["a"], queue="other") == {abc}
    assert listed(queue, tags=["a"], status="queued") == {a, ab, abc}
    queue.cancel(ab)
    assert listed(queue, tags=["a"], status="queued") == {a, abc}
    assert listed(queue, tags=["a"], status="cancelled") == {ab}


def test_the_tasks_of_a_schedule_have_its_tags(queue: Queue) -> None:
    patch = "select pgqueue.patch_schedule('s', %s)"
    queue.value(patch, Jsonb({"type": "t", "cron": "0 0 1 1 *", "tags": ["yearly", "x"]}))
    id = str(queue.value("select pgqueue.trigger_schedule('s')"))
    assert queue.task(id)["tags"] == ["yearly", "x"]
    with pytest.raises(psycopg.Error) as error:
        queue.value(patch, Jsonb({"tags": [""]}))
    assert error.value.sqlstate == "PQ004"
    assert error.value.diag.message_hint == "tags is up to 20 texts of 1 to 100 characters"
    options = "select options -> 'tags' from pgqueue.schedules"
    assert queue.value(options) == ["yearly", "x"]
    queue.value(patch, Jsonb({"tags": None}))
    assert queue.value(options) is None


def test_a_list_by_tags_and_more_reads_only_what_the_more_leaves(queue: Queue) -> None:
    """A filter by status, type or queue keeps its short way when tags come on top of it."""
    usual = {"type": "usual", "queue": "full", "tags": ["x"]}
    queue.enqueue_many(*[usual] * 6000)
    rare = queue.enqueue("rare", queue="other", tags=["x", "y"])
    queue.enqueue("rare", queue="other", tags=["y"])
    for filter in ({"queue": "other"}, {"status": "queued", "queue": "other"}):
        page = queue.row(
            "select * from pgqueue_private.list_tasks(%s, '-infinity', 'infinity', %s, 50, 0)",
            Jsonb({**filter, "tags": ["x"]}),
            EVERYTHING,
        )
        assert [rare in item for item in page["items"]] == [True]
        assert page["next_before"] is None  # no time at all, and yet everything was searched
