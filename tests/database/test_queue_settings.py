"""The settings of a queue: changed as a whole, never lost to a second writer."""

import orjson
import psycopg
import pytest

from tests.database.queue import Queue


def patch(queue: Queue, settings: str, versions: list[int] | None = None, name: str = "q"):
    return queue.value("select pgqueue.patch_queue(%s, %s, %s::bigint[])", name, settings, versions)


def settings(queue: Queue) -> tuple:
    row = queue.row("select max_attempts, retry, ageing_s, version from pgqueue.queues")
    return tuple(row.values())


def test_what_is_given_changes_and_the_rest_stays(queue: Queue) -> None:
    queue.rows("select pgqueue.set_queue('q', max_attempts => 5)")
    queue.rows("""select pgqueue.set_queue('q', retry => '{"base_s": 9}', ageing_s => 60)""")
    assert settings(queue) == (5, {"base_s": 9}, 60, 2)
    assert patch(queue, '{"retry": null, "max_attempts": 6}') == 3
    assert settings(queue) == (6, None, 60, 3)
    (health,) = queue.rows("select * from pgqueue.queue_health")
    assert (health["max_attempts"], health["retry"], health["ageing_s"]) == (6, None, 60)


def test_a_queue_that_workers_made_has_no_settings_and_is_at_version_one(queue: Queue) -> None:
    queue.rows(
        """select pgqueue_private.publish_types(
               '[{"name": "t", "queue": "q", "description": "", "payload_schema": {}}]')"""
    )
    assert settings(queue) == (None, None, None, 1)
    assert patch(queue, '{"ageing_s": 1}', [0]) is None
    assert patch(queue, '{"ageing_s": 1}', [1]) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        "[]",
        '{"limit": 1}',
        '{"name": "other"}',
        '{"max_attempts": 0}',
        '{"max_attempts": 1001}',
        '{"max_attempts": "many"}',
        '{"max_attempts": 99999}',
        '{"retry": {"kind": "none"}}',
        '{"ageing_s": 0}',
        '{"ageing_s": 1e10}',
    ],
)
def test_what_cannot_be_is_refused_and_no_queue_is_made(queue: Queue, wrong: str) -> None:
    from pgqueue import UsageError
    from pgqueue.errors import translate

    with pytest.raises(psycopg.Error) as caught:
        patch(queue, wrong)
    assert type(translate(caught.value)) is UsageError
    assert queue.count("queue") == 0


def test_a_version_that_is_gone_changes_nothing(queue: Queue) -> None:
    assert patch(queue, '{"max_attempts": 4}', [0]) == 1
    assert patch(queue, '{"max_attempts": 5}', [0]) is None
    assert patch(queue, '{"max_attempts": 5}', [1, 9]) == 2
    assert patch(queue, '{"max_attempts": 6}', [1]) is None
    assert patch(queue, '{"max_attempts": 6}', []) is None
    assert settings(queue)[0] == 5


def test_of_two_who_read_the_same_version_one_changes_it(queue: Queue) -> None:
    patch(queue, "{}")
    with queue.holding() as other:
        assert patch(other, '{"max_attempts": 4}', [1]) == 2
        late = queue.blocked(lambda q: patch(q, '{"max_attempts": 5}', [1]))
    assert late.result(45) is None
    assert settings(queue)[0] == 4


def test_of_two_who_make_a_queue_one_does(queue: Queue) -> None:
    with queue.holding() as other:
        assert patch(other, '{"max_attempts": 4}', [0]) == 1
        late = queue.blocked(lambda q: patch(q, '{"max_attempts": 5}', [0]))
    assert late.result(45) is None
    assert settings(queue)[0] == 4


def test_two_who_change_different_settings_lose_neither(queue: Queue) -> None:
    with queue.holding() as other:
        other.rows("select pgqueue.set_queue('q', max_attempts => 4)")
        late = queue.blocked(lambda q: q.rows("select pgqueue.set_queue('q', ageing_s => 5)"))
    late.result(45)
    assert settings(queue) == (4, None, 5, 2)


def test_a_queue_begins_with_what_its_type_says_and_keeps_what_people_set(queue: Queue) -> None:
    kind = {
        "name": "pdf",
        "queue": "pdf",
        "description": "",
        "payload_schema": {},
        "queue_settings": {
            "concurrency": 3,
            "rate": [{"count": 10, "per_seconds": 60}],
            "max_attempts": 4,
        },
    }
    publish = ("select pgqueue_private.publish_types(%s)::text", orjson.dumps([kind]).decode())
    queue.value(*publish)
    shown = "select concurrency, rate, max_attempts from pgqueue_private.queue where name = 'pdf'"
    assert queue.row(shown) == kind["queue_settings"]
    id = queue.enqueue("pdf")
    assert queue.task(id)["max_attempts"] == 4
    queue.value("select pgqueue.patch_queue('pdf', '{\"rate\": null, \"concurrency\": 9}')")
    queue.value(*publish)
    queue.value(*publish)
    assert queue.row(shown) == {"concurrency": 9, "rate": None, "max_attempts": 4}
    queue.value("select pgqueue.patch_queue('mine', '{}')")
    kind |= {"name": "mine", "queue": "mine"}
    queue.value("select pgqueue_private.publish_types(%s)::text", orjson.dumps([kind]).decode())
    assert queue.row(shown.replace("'pdf'", "'mine'"))["concurrency"] is None
