"""Promote: what is due becomes runnable, once, oldest first."""

from tests.database.queue import Queue


def test_what_is_due_becomes_runnable_and_the_rest_waits(queue: Queue) -> None:
    due, later = queue.enqueue_many(
        {"type": "t", "delay_s": 10, "queue": "a"}, {"type": "t", "delay_s": 100, "queue": "b"}
    )
    queue.shift_clock(20)
    got = queue.promote()
    assert (got["moved"], got["queues"]) == (1, ["a"])
    assert 70 < got["next_due_s"] <= 80
    assert (queue.status(due), queue.status(later)) == ("queued", "scheduled")


def test_nothing_due_moves_nothing(queue: Queue) -> None:
    got = queue.promote()
    assert (got["moved"], got["queues"], got["next_due_s"]) == (0, None, None)


def test_the_oldest_come_first_and_at_most_as_many_as_asked(queue: Queue) -> None:
    ids = queue.enqueue_many(*[{"type": "t", "delay_s": 50 - n} for n in range(10)])
    queue.shift_clock(60)
    assert queue.promote(4)["moved"] == 4
    worker = queue.worker()
    assert queue.claimed(worker) == ids[:5:-1]
    assert queue.promote()["moved"] == 6
    assert queue.claimed(worker) == ids[5::-1]


def test_a_promoted_task_goes_behind_those_of_its_priority_that_waited(queue: Queue) -> None:
    (delayed,) = queue.enqueue_many({"type": "t", "delay_s": 10})
    queue.shift_clock(20)
    waiting = queue.enqueue()
    queue.promote()
    assert queue.claimed(queue.worker()) == [waiting, delayed]


def test_the_wait_counts_from_when_the_task_was_due(queue: Queue) -> None:
    queue.enqueue_many({"type": "t", "delay_s": 10})
    queue.shift_clock(100)
    queue.promote()
    (lease,) = queue.claim(queue.worker())
    assert 89 < lease["wait_s"] < 100


def test_promoters_at_once_move_each_task_once(queue: Queue) -> None:
    ids = queue.enqueue_many(*[{"type": "t", "delay_s": 5}] * 200)
    queue.shift_clock(10)

    def drain(session: Queue) -> int:
        total = 0
        while moved := session.promote(9)["moved"]:
            total += moved
        return total

    assert sum(queue.at_once(6, drain)) == 200
    assert set(queue.claimed(queue.worker(), 1000)) == set(ids)


def test_a_promoter_does_not_wait_for_another(queue: Queue) -> None:
    queue.enqueue_many(*[{"type": "t", "delay_s": 5}] * 10)
    queue.shift_clock(10)
    with queue.holding() as other:
        assert other.promote(4)["moved"] == 4
        with queue.waiting_for_nobody():
            assert queue.promote()["moved"] == 6
