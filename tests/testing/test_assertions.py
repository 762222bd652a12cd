"""What assert_enqueued takes for a match, and what it says when there is none."""

import pytest

from pgqueue import PgQueue, UsageError
from pgqueue.testing import assert_enqueued, inline

PAYLOAD = {"order": 7, "to": {"name": "Ada", "tags": ["a", "b"]}}


@pytest.fixture
async def app():
    app = PgQueue("host=/nonexistent")
    app.task("receipt", queue="email")(lambda: None)
    app.task("report")(lambda: None)
    async with inline(app):
        await app.enqueue("receipt", PAYLOAD)
        await app.enqueue("receipt", {"order": 8}, priority="low")
        yield app


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"payload": {}},
        {"payload": {"order": 7}},
        {"payload": {"to": {"name": "Ada"}}},
        {"payload": PAYLOAD, "queue": "email", "status": "completed"},
        {"priority": "low", "payload": {"order": 8}},
        {"count": 2},
        {"payload": {"order": 9}, "count": 0},
    ],
)
async def test_a_part_of_the_payload_is_enough(app: PgQueue, fields: dict) -> None:
    found = assert_enqueued("receipt", **fields)
    assert len(found) == fields.get("count", len(found))
    assert assert_enqueued("receipt", app=app, **fields) == found


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"payload": {"order": 9}}, "payload/order is 7, not 9"),
        ({"payload": {"to": {"name": "Bob"}}}, 'payload/to/name is "Ada", not "Bob"'),
        ({"payload": {"to": {"tags": ["a"]}}}, 'payload/to/tags is ["a","b"], not ["a"]'),
        ({"payload": {"to": None}}, "payload/to is missing"),
        ({"payload": [7]}, 'payload is {"order":8}, not [7]'),
        ({"queue": "mail"}, 'queue is "email", not "mail"'),
        ({"count": 1}, "2 instead of 1 tasks"),
        ({"payload": {"order": 7}, "count": 0}, "1 instead of 0 tasks"),
    ],
)
async def test_what_is_there_is_listed_with_its_differences(
    app: PgQueue, fields: dict, says: str
) -> None:
    with pytest.raises(AssertionError) as caught:
        assert_enqueued("receipt", **fields)
    assert says in str(caught.value)
    assert "receipt  queue=email status=completed priority=5 payload=" in str(caught.value)


async def test_another_type_is_listed_where_there_is_none_of_this_one(app: PgQueue) -> None:
    with pytest.raises(AssertionError, match=r"There are:\n  receipt  queue=email"):
        assert_enqueued("report")


async def test_nothing_at_all_is_said_so() -> None:
    async with inline(PgQueue("host=/nonexistent")):
        with pytest.raises(AssertionError, match="no task was enqueued at all"):
            assert_enqueued("receipt")


async def test_a_long_list_is_cut(app: PgQueue) -> None:
    await app.enqueue_many([{"type": "receipt", "payload": {"x": "y" * 900}}] * 30)
    with pytest.raises(AssertionError) as caught:
        assert_enqueued("receipt", payload={"order": 9})
    assert "and 12 more" in str(caught.value)
    assert len(str(caught.value)) < 20_000


def test_a_question_that_cannot_be_answered_is_refused() -> None:
    with pytest.raises(UsageError, match="no app is given"):
        assert_enqueued("receipt")
    with pytest.raises(UsageError, match="no field 'colour'"):
        assert_enqueued("receipt", colour="red", app=PgQueue())
