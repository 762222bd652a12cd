"""Every way in which nothing starts: explain, doctor and readyz say which."""

from collections.abc import Callable

import pytest

from pgqueue.database.queries import query
from tests.database.queue import Queue
from tests.database.test_limits import claim

DOCTOR = "select level, finding from pgqueue_private.doctor_waiting() where finding like %s"


def worker(
    queue: Queue, *, types: str = "{t}", queues: str = "{}", slots: int = 5, lease_s: float = 1e6
) -> int:
    return queue.value(
        "select pgqueue_private.register_worker('s', 'h', 7, '1', %s, %s, %s, %s)",
        *(queues, types, slots, lease_s),
    )


def setting(queue: Queue, settings: str) -> None:
    queue.rows("select pgqueue.patch_queue('default', %s)", settings)


def paused(queue: Queue) -> str:
    worker(queue)
    queue.rows("select pgqueue.pause('default', 'the printer burns', 'ada')")
    return queue.enqueue()


def slowed(queue: Queue) -> str:
    worker(queue)
    queue.rows("select pgqueue_private.slow_down('default', null, 3600, '429')")
    return queue.enqueue()


def without_any_worker(queue: Queue) -> str:
    return queue.enqueue()


def beside_a_draining_worker(queue: Queue) -> str:
    queue.rows("select pgqueue_private.set_worker_state(%s, 'draining')", worker(queue))
    return queue.enqueue()


def beside_a_worker_of_other_queues(queue: Queue) -> str:
    worker(queue, queues="{mail}")
    return queue.enqueue()


def after_the_clock_went_past_all_leases(queue: Queue) -> str:
    worker(queue, lease_s=15)
    return queue.enqueue()


def of_a_type_that_nobody_has(queue: Queue) -> str:
    worker(queue, types="{other}")
    return queue.enqueue()


def behind_a_full_queue(queue: Queue) -> str:
    setting(queue, '{"concurrency": 1}')
    queue.enqueue()
    claim(queue, worker(queue))
    return queue.enqueue()


def behind_a_used_rate(queue: Queue) -> str:
    setting(queue, '{"rate": [{"count": 1, "per_seconds": 3600}]}')
    queue.enqueue()
    claim(queue, worker(queue))
    return queue.enqueue()


def behind_a_full_key(queue: Queue) -> str:
    queue.rows("select pgqueue.set_limit('acme', concurrency => 1)")
    queue.enqueue(limit_key="acme")
    claim(queue, worker(queue))
    return queue.enqueue(limit_key="acme")


def behind_another_task(queue: Queue) -> str:
    first = queue.enqueue()
    (ours,) = queue.enqueue_many({"type": "t", "depends_on": [first]})
    queue.claim(worker(queue))
    return ours


def behind_long_tasks(queue: Queue) -> str:
    queue.enqueue()
    queue.claim(worker(queue, slots=1))
    return queue.enqueue()


def due_without_a_supervisor(queue: Queue) -> str:
    worker(queue)
    (ours,) = queue.enqueue_many({"type": "t", "delay_s": 0.1})
    return ours


def beside_workers_that_stand_still_or_are_deaf(queue: Queue) -> str:
    worker(queue)
    return queue.enqueue()


WAYS: dict[Callable[[Queue], str], tuple[str, str]] = {
    paused: ("paused", "ok"),
    slowed: ("queue_slowed", "ok"),
    without_any_worker: ("no_worker", "warning"),
    beside_a_draining_worker: ("no_worker", "warning"),
    beside_a_worker_of_other_queues: ("no_worker", "warning"),
    after_the_clock_went_past_all_leases: ("no_worker", "warning"),
    of_a_type_that_nobody_has: ("no_handler", "warning"),
    behind_a_full_queue: ("queue_concurrency", "ok"),
    behind_a_used_rate: ("queue_rate", "ok"),
    behind_a_full_key: ("key_concurrency", "ok"),
    behind_another_task: ("dependency", "ok"),
    behind_long_tasks: ("workers_busy", "ok"),
    due_without_a_supervisor: ("due", "warning"),
    beside_workers_that_stand_still_or_are_deaf: ("not_taken", "warning"),
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_task_that_does_not_start_is_explained_everywhere(
    queue: Queue, way: Callable[[Queue], str]
) -> None:
    code, level = WAYS[way]
    id = way(queue)
    assert queue.rows(query("held_back")) == []  # it has only just come
    queue.shift_clock(60)
    explained = queue.rows("select code, message from pgqueue.explain(%s)", id)[0]
    assert explained["code"] == code
    (held,) = queue.rows(query("held_back"))
    assert (held["task_id"], held["code"]) == (id, code)
    (found,) = queue.rows(DOCTOR, f"%{id}%")
    assert found["level"] == level
    assert found["finding"].endswith(explained["message"])


def test_a_task_that_crashed_twice_is_not_held_back(queue: Queue) -> None:
    id = queue.enqueue()
    for _ in range(2):
        dying = worker(queue)
        queue.claim(dying)
        queue.rescue(dying)
    assert claim(queue, worker(queue))[0]["task_id"] == id
