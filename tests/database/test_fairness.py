"""In a fair queue keys take turns within a priority, however many tasks each has."""

import json
from collections import Counter
from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue


class Turns:
    """A claimer of a fair queue: it remembers where its turns go on."""

    def __init__(self, queue: Queue, name: str = "default") -> None:
        self._queue = queue
        self._name = name
        self._worker = queue.worker()
        self._turn: str | None = None

    def claim(self, n: int) -> list[dict[str, Any]]:
        """Claim n tasks; gives them with their keys."""
        rows = self._queue.rows(
            "select c.task_id::text, c.lease_id, c.priority, c.seq, c.next_turn::text,"
            " coalesce(t.fairness_key, t.user_id::text) as key"
            " from pgqueue_private.claim_limited(%s, %s, %s, %s::jsonb) as c"
            " left join pgqueue_private.task as t on t.id = c.task_id",
            self._worker,
            self._name,
            n,
            self._turn,
        )
        self._turn = rows[-1]["next_turn"] or self._turn if rows else self._turn
        return [row for row in rows if row["task_id"] is not None]

    def keys(self, n: int) -> list[str]:
        return sorted(row["key"] for row in self.claim(n))

    def one_by_one(self, n: int) -> str:
        return "".join(key for _ in range(n) for key in self.keys(1))


def fair(queue: Queue, **weights: int) -> None:
    settings = {"fairness": {"weights": weights} if weights else {}}
    queue.value("select pgqueue.patch_queue('default', %s)", json.dumps(settings))


def fill(queue: Queue, **counts: int) -> None:
    queue.enqueue_many(
        *[{"type": "t", "fairness_key": key} for key, n in counts.items() for _ in range(n)]
    )


def test_keys_take_turns_whatever_the_order_of_their_tasks(queue: Queue) -> None:
    fair(queue)
    fill(queue, a=20, b=3, c=1)
    assert Turns(queue).one_by_one(10) == "abcabab" + "aaa"


def test_a_newcomer_starts_next_behind_a_long_backlog(queue: Queue) -> None:
    fair(queue)
    fill(queue, hog=1000)
    turns = Turns(queue)
    assert turns.keys(10) == ["hog"] * 10
    fill(queue, new=1)
    assert turns.keys(2) == ["hog", "new"]


def test_one_claim_of_many_gives_each_key_its_share_and_all_that_is_left_to_others(
    queue: Queue,
) -> None:
    fair(queue, b=2)
    fill(queue, a=100, b=100, c=2)
    assert Counter(Turns(queue).keys(40)) == {"a": 13, "b": 25, "c": 2}


def test_a_key_starts_as_many_in_its_turn_as_its_weight(queue: Queue) -> None:
    fair(queue, b=3)
    fill(queue, a=10, b=10)
    assert Turns(queue).one_by_one(12) == "abbbabbbabbb"


def test_tasks_of_one_key_start_in_their_order(queue: Queue) -> None:
    fair(queue)
    fill(queue, a=5, b=5)
    rows = Turns(queue).claim(10)
    assert [row["seq"] for row in rows if row["key"] == "b"] == sorted(
        row["seq"] for row in rows if row["key"] == "b"
    )
    assert len(rows) == 10


def test_a_higher_priority_comes_first_and_keys_take_turns_within_it(queue: Queue) -> None:
    fair(queue)
    queue.enqueue_many(
        *[{"type": "t", "fairness_key": "a", "priority": 1}] * 3,
        *[{"type": "t", "fairness_key": "b"}] * 3,
        {"type": "t", "fairness_key": "c", "priority": 1},
    )
    turns = Turns(queue)
    assert turns.keys(2) == ["a", "c"]
    assert turns.keys(2) == ["a", "a"]
    assert turns.keys(9) == ["b", "b", "b"]
    assert turns.claim(1) == []


def test_without_a_key_users_take_turns(queue: Queue) -> None:
    fair(queue)
    for user in (7, 8):
        queue.value(
            "select ids from pgqueue.enqueue_many(%s, %s)", json.dumps([{"type": "t"}] * 5), user
        )
    assert Turns(queue).keys(4) == ["7", "7", "8", "8"]


def test_what_waited_when_the_queue_became_fair_takes_turns_as_one(queue: Queue) -> None:
    fill(queue, a=10, b=10)
    fair(queue)
    fill(queue, c=10)
    turns = Turns(queue)
    assert turns.keys(4) == ["a", "a", "c", "c"]
    assert turns.keys(100) == ["a"] * 8 + ["b"] * 10 + ["c"] * 8


def test_a_queue_that_is_fair_no_longer_goes_by_order_again(queue: Queue) -> None:
    fair(queue)
    fill(queue, a=3, b=3)
    queue.value("""select pgqueue.patch_queue('default', '{"fairness": null}')""")
    ids = queue.claimed(queue.worker(), 3)
    keys = queue.values(
        "select fairness_key from pgqueue_private.task where id = any (%s::uuid[])", ids
    )
    assert keys == ["a"] * 3


def test_a_task_that_comes_back_takes_its_turn_again(queue: Queue) -> None:
    fair(queue)
    fill(queue, a=50, b=1)
    turns = Turns(queue)
    leases = {row["key"]: row for row in turns.claim(2)}
    queue.finish(leases["b"], "failed", delay_s=0)
    queue.finish(leases["a"], "released")
    queue.promote()
    assert turns.keys(2) == ["a", "b"]


def test_two_claims_at_once_never_take_the_same_task(queue: Queue) -> None:
    fair(queue)
    fill(queue, a=10, b=10)
    a, b = Turns(queue.session()), Turns(queue.session())
    waiting = "select task_id::text from pgqueue_private.ready where ctid = any (%s::tid[])"
    a._queue.rows("begin")
    first = {row["task_id"] for row in a.claim(5)}
    with b._queue.waiting_for_nobody():
        picked = b._queue.row(
            "select * from pgqueue_private.fair_picks('default', 20, null, null)"
        )["picked"]
    others = set(queue.values(waiting, picked))
    assert len(first) == 5
    assert len(others) >= 14  # a claim may hold one more than it takes, until it commits
    assert first.isdisjoint(others)
    a._queue.rows("commit")


def test_the_concurrency_of_a_fair_queue_holds(queue: Queue) -> None:
    fair(queue)
    queue.value("""select pgqueue.patch_queue('default', '{"concurrency": 3}')""")
    fill(queue, a=10, b=10)
    turns = Turns(queue)
    assert turns.keys(10) == ["a", "a", "b"]
    assert turns.claim(10) == []


def test_a_claim_of_one_reads_as_little_from_a_long_backlog_as_from_a_short_one(
    queue: Queue,
) -> None:
    fair(queue)
    read = []
    for n in (200, 20_000):
        fill(queue, hog=n, other=10)
        queue.rows("vacuum pgqueue_private.ready")
        queue.rows("select * from pgqueue_private.fair_picks('default', 1, null, null)")
        (plan,) = queue.row(
            "explain (analyze, buffers, format json) select * "
            "from pgqueue_private.fair_picks('default', 1, null, null)"
        ).values()
        read.append(plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"])
    assert read[1] <= read[0] + 12  # the index is a level or two deeper


@pytest.mark.parametrize(
    "fairness",
    [
        *(1, [], {"weight": {}}, {"weights": 1}, {"weights": {"a": 0}}, {"weights": {"a": 101}}),
        *({"weights": {"a": "1"}}, {"weights": {"a": 1.5}}, {"weights": {"": 1}}),
    ],
)
def test_a_fairness_that_makes_no_sense_is_refused(queue: Queue, fairness: Any) -> None:
    with pytest.raises(psycopg.Error, match="fairness must be an object"):
        queue.value("select pgqueue.patch_queue('default', %s)", json.dumps({"fairness": fairness}))
