"""Order by priority, and ageing: what waits long enough comes first."""

from tests.database.queue import Queue


def ask_for_ageing(queue: Queue, seconds: float, name: str = "default") -> None:
    queue.rows(
        """insert into pgqueue_private.queue (name, created_at, ageing_s)
            values (%s, pgqueue.clock(), %s)
           on conflict (name) do update set ageing_s = excluded.ageing_s""",
        name,
        seconds,
    )


def age(queue: Queue, max_tasks: int = 1000) -> int | None:
    return queue.value("select pgqueue_private.age_tasks(%s)", max_tasks)


def priorities(queue: Queue) -> list[tuple[str, int]]:
    """The runnable tasks in the order in which they would be claimed."""
    rows = queue.rows(
        "select task_id::text, priority from pgqueue_private.ready order by priority, seq"
    )
    return [(row["task_id"], row["priority"]) for row in rows]


def test_the_order_is_by_priority_then_by_age(queue: Queue) -> None:
    tasks = [{"type": "t", "priority": n % 3} for n in range(9)]
    ids = queue.enqueue_many(*tasks)
    assert queue.claimed(queue.worker()) == ids[0::3] + ids[1::3] + ids[2::3]


def test_an_urgent_task_is_the_next_claimed_behind_any_number_of_others(queue: Queue) -> None:
    queue.rows(
        """select pgqueue.enqueue_many((
               select jsonb_agg(jsonb_build_object('type', 't')) from generate_series(1, 5000)
           ))"""
    )
    urgent = queue.enqueue(priority=0)
    worker = queue.worker()
    (lease,) = queue.claim(worker, 1, cursors={("default", 5): 3_000})
    assert lease["task_id"] == urgent
    queue.rows("delete from pgqueue_private.ready")
    queue.rows("delete from pgqueue_private.task where type = 't' and priority = 5")


def test_where_no_queue_asks_for_it_nothing_ages(queue: Queue) -> None:
    id = queue.enqueue()
    queue.shift_clock(86_400)
    assert age(queue) is None
    ask_for_ageing(queue, 1, "another")
    assert age(queue) == 0
    assert priorities(queue) == [(id, 5)]


def test_a_task_gains_a_step_for_each_period_that_it_waits(queue: Queue) -> None:
    ask_for_ageing(queue, 10)
    id = queue.enqueue(priority=8)
    for second, priority in ((9, 8), (11, 7), (19, 7), (25, 6), (71, 1), (95, 0), (500, 0)):
        queue.shift_clock(second)
        age(queue)
        assert priorities(queue) == [(id, priority)], second
    task = queue.task(id)
    assert (task["priority"], task["status_reason"]) == (8, "raised to priority 0 by its age")
    assert queue.claimed(queue.worker()) == [id]
    assert queue.task(id)["status_reason"] is None


def test_what_is_raised_takes_its_place_behind_those_that_are_there(queue: Queue) -> None:
    ask_for_ageing(queue, 10)
    old = queue.enqueue_many(*[{"type": "t", "priority": 6}] * 3)
    queue.shift_clock(9)
    young = queue.enqueue(priority=5)
    queue.shift_clock(12)
    assert age(queue) == 3
    assert [id for id, _ in priorities(queue)] == [young, *old]


def test_a_low_priority_is_never_starved_by_a_stream_of_higher_ones(queue: Queue) -> None:
    ask_for_ageing(queue, 10)
    low = queue.enqueue(priority=10)
    worker = queue.worker(lease_s=1_000)
    for second in range(0, 200, 5):
        queue.shift_clock(second)
        age(queue)
        queue.enqueue_many(*[{"type": "t", "priority": 2}] * 2)
        if low in queue.claimed(worker, 2):
            break
    assert 80 <= second <= 110


def test_ageing_takes_bounded_steps(queue: Queue) -> None:
    ask_for_ageing(queue, 10)
    queue.enqueue_many(*[{"type": "t"}] * 25)
    queue.shift_clock(11)
    assert [age(queue, 10) for _ in range(4)] == [10, 10, 5, 0]


def test_ageing_passes_over_what_is_being_claimed_and_locks_nothing_that_stays(
    queue: Queue,
) -> None:
    ask_for_ageing(queue, 10)
    first, second = queue.enqueue_many({"type": "t"}, {"type": "t"})
    worker = queue.worker()
    queue.shift_clock(11)
    third = queue.enqueue()
    with queue.holding() as claimer:
        assert claimer.claimed(worker, 1) == [first]
        with queue.holding() as ager:
            assert age(ager) == 1
            assert queue.claimed(worker) == [third]
    assert priorities(queue) == [(second, 4)]


def test_two_that_age_at_once_do_not_wait_for_each_other(queue: Queue) -> None:
    ask_for_ageing(queue, 10)
    queue.enqueue()
    queue.shift_clock(11)
    with queue.holding() as other:
        assert age(other) == 1
        assert age(queue) == 0


def test_a_task_that_was_raised_is_found_by_a_cancel_and_by_a_change(queue: Queue) -> None:
    ask_for_ageing(queue, 10)
    one, other = queue.enqueue_many({"type": "t"}, {"type": "t"})
    queue.shift_clock(11)
    assert age(queue) == 2
    assert queue.cancel(one) == "cancelled"
    assert queue.update(other, priority=9) == "queued"
    assert priorities(queue) == [(other, 9)]
