"""Partitions, pruning, and the questions that workers ask when idle."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest

from tests.database.queue import NOON, Queue

DAY_S = 86_400
FACTS = ("task", "attempt", "task_event", "artifact", "checkpoint", "dependency")


@pytest.fixture(scope="session")
def template(pgqueue_template: str) -> str:
    """The tests here are about days: they need all that `migrate` makes."""
    return pgqueue_template


def _partitions(queue: Queue, fact: str) -> list[str]:
    return queue.values(
        """select inhrelid::regclass::text from pg_inherits
           where inhparent = %s::regclass order by 1""",
        f"pgqueue_private.{fact}",
    )


def _ensure(queue: Queue, days: int) -> int:
    return queue.value(
        "select pgqueue.ensure_partitions((pgqueue.clock() at time zone 'utc')::date, %s)", days
    )


def test_partitions_are_made_ahead_one_a_day_and_fact(queue: Queue) -> None:
    assert _ensure(queue, 8) == 0  # migrate made them
    assert _ensure(queue, 10) == 2 * len(FACTS)
    assert _ensure(queue, 10) == 0
    for fact in FACTS:
        assert len(_partitions(queue, fact)) == 10


def test_the_ranges_of_partitions_meet_without_gaps(queue: Queue) -> None:
    bounds = queue.values(
        """select pg_get_expr(relpartbound, oid) from pg_class
           where relispartition and relkind = 'r' and relname like 'task\\_2%%' order by relname"""
    )
    ends = [bound.split("'")[1::2] for bound in bounds]
    assert len(ends) == 8
    assert all(ends[n][1] == ends[n + 1][0] for n in range(7))


def test_makers_of_partitions_take_turns(queue: Queue) -> None:
    made = queue.at_once(6, lambda q: _ensure(q, 12))
    assert sorted(made) == [0] * 5 + [4 * len(FACTS)]


def test_making_partitions_waits_for_no_writer_and_no_reader(queue: Queue) -> None:
    lease = queue.start(queue.worker())
    with queue.holding() as other:
        other.enqueue()
        other.finish(lease)
        other.rows("select * from pgqueue.tasks")
        other.rows("select * from pgqueue.events")
        with queue.waiting_for_nobody():
            assert _ensure(queue, 9) == len(FACTS)


def test_an_enqueue_makes_the_partitions_that_maintenance_did_not(queue: Queue) -> None:
    queue.shift_clock(10 * DAY_S)  # migrate made 8 days
    ids = queue.enqueue_many({"type": "t"}, {"type": "t"})
    worker = queue.worker()
    (first, second) = queue.claim(worker)
    queue.value(
        "select pgqueue_private.append_events(jsonb_build_array(jsonb_build_object("
        "'task_id', %s::text, 'lease_id', %s, 'seq', 1, 'level', 'info', 'message', 'm')))",
        first["task_id"],
        first["lease_id"],
    )
    assert queue.finish(first) == []
    assert queue.finish(second, "failed") == []
    assert [queue.status(id) for id in ids] == ["completed", "retrying"]
    later = date.fromisoformat(
        str(queue.value("select (pgqueue.clock() at time zone 'utc')::date"))
    )
    assert f"pgqueue_private.task_{later:%Y%m%d}" in _partitions(queue, "task")


def test_an_enqueue_works_when_the_partition_of_today_is_gone(queue: Queue) -> None:
    today = queue.value("select to_char(pgqueue.clock() at time zone 'utc', 'YYYYMMDD')")
    for fact in FACTS:
        queue.rows(f"drop table pgqueue_private.{fact}_{today}")
    assert queue.status(queue.enqueue()) == "queued"


@pytest.mark.parametrize("back", [13, 12.5, 12.0001, 36.5], ids=lambda hours: f"{hours} hours")
def test_an_enqueue_works_when_the_clock_goes_back_over_midnight(queue: Queue, back: float) -> None:
    """As after a failover to a server whose clock is behind: nobody made partitions of that day."""
    worker = queue.worker(1e9)
    before = queue.start(worker)
    queue.stop_clock(NOON - timedelta(hours=back))
    ids = [queue.enqueue(), *queue.enqueue_many({"type": "t"}, {"type": "t", "delay_s": 60})]
    ids += [id for id, _ in queue.enqueue_unique({"type": "t", "dedup_key": "k"})]
    for lease in [before, *queue.claim(worker)]:
        queue.finish(lease)
    assert [queue.status(id) for id in ids] == ["completed", "completed", "scheduled", "completed"]
    queue.stop_clock()
    queue.promote()
    assert queue.claimed(worker) == [ids[2]]


def test_enqueuers_at_once_in_a_new_day_all_succeed(queue: Queue) -> None:
    queue.shift_clock(20 * DAY_S)
    ids = queue.at_once(8, lambda q: q.enqueue_many(*[{"type": "t"}] * 20))
    assert len({id for batch in ids for id in batch}) == 160
    assert len(_partitions(queue, "task")) == 8 + 2


def test_a_task_of_yesterday_is_worked_on_today(queue: Queue) -> None:
    id = queue.enqueue()
    queue.shift_clock(DAY_S)
    (lease,) = queue.claim(queue.worker())
    assert queue.finish(lease, result=1) == []
    task = queue.task(id)
    assert task["status"] == "completed"
    assert task["finished_at"] - task["created_at"] >= timedelta(days=1)


def test_pruning_deletes_what_has_had_its_time_and_nothing_else(queue: Queue) -> None:
    gone, lives = queue.worker(), queue.worker(lease_s=1e9)
    queue.rescue(gone)
    queue.value("select pgqueue_private.listen('me', 'pgqueue_event', 30)::text")
    enqueue = (
        "select verdict from pgqueue_private.enqueue_idempotent(%s, 'h', "
        "'[{\"type\": \"t\"}]', '{1}', 1)"
    )
    queue.value(enqueue, "old")
    prune = "select pgqueue_private.prune()::text"
    queue.value(prune)
    assert queue.count("idempotency") == queue.count("listener") == 1
    queue.shift_clock(DAY_S + 60)
    queue.value(enqueue, "new")
    queue.value(prune)
    assert queue.values("select key from pgqueue_private.idempotency") == ["new"]
    assert queue.count("listener") == 0
    assert queue.count("worker") == 2
    queue.shift_clock(31 * DAY_S)
    queue.value(prune)
    assert queue.values("select id from pgqueue_private.worker") == [lives]


def test_queues_are_empty_when_nothing_is_runnable_running_or_due(queue: Queue) -> None:
    def empty(*names: str) -> bool:
        return queue.value("select pgqueue_private.queues_empty(%s::text[])", list(names) or None)

    assert empty()
    queue.enqueue_many({"type": "t", "queue": "later", "delay_s": 60})
    assert empty()
    assert empty("later")
    lease = queue.start(queue.worker(), queue="busy")
    assert not empty()
    assert not empty("busy")
    assert empty("later", "other")
    queue.finish(lease)
    assert empty()
    queue.enqueue(queue="full")
    assert not empty("full", "other")
    queue.shift_clock(61)
    assert not empty("later")


def test_runnable_queues_are_those_with_a_ready_task(queue: Queue) -> None:
    def runnable() -> list[str]:
        return queue.values("select * from pgqueue_private.runnable_queues()")

    assert runnable() == []
    queue.enqueue_many(*[{"type": "t", "queue": name} for name in "bacabcab"])
    queue.enqueue_many({"type": "t", "queue": "later", "delay_s": 60})
    assert runnable() == ["a", "b", "c"]
    queue.claim(queue.worker(), queues=("b",))
    assert runnable() == ["a", "c"]


def test_two_that_need_a_missing_day_at_the_same_time_make_it_once(queue: Queue, connect) -> None:
    first, second = connect(autocommit=False), connect(autocommit=False)
    make = "select pgqueue.ensure_partitions('2031-03-04', 1)"
    # as an enqueue does, which asks whether its day is there
    second.execute("select to_regclass('pgqueue_private.task_20310304')")
    first.execute(make)
    waits = "select exists (select from pg_locks where locktype = 'advisory' and not granted)"
    with ThreadPoolExecutor(1) as threads:
        making = threads.submit(second.execute, make)
        while not queue.value(waits):
            assert not making.done()
        first.commit()
        assert making.result(45).fetchone() == (0,)
    second.commit()
