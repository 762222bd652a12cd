"""Retention: days are dropped, and what must stay, stays."""

import re
from datetime import date
from typing import Any

import orjson
import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.database.queue import Queue

DAY_S = 86_400
FACTS = ("task", "attempt", "task_event", "artifact", "checkpoint", "dependency")


def today(queue: Queue) -> date:
    return queue.value("select (pgqueue.clock() at time zone 'utc')::date")


def prune(queue: Queue, day: date) -> dict[str, Any]:
    return queue.row("select * from pgqueue_private.prune_day(%s)", day)


def prune_due(queue: Queue) -> list[tuple[date, str]]:
    """What the duty does."""
    done = []
    for day in queue.values("select * from pgqueue_private.due_days()"):
        while (did := prune(queue, day)["did"]) == "going on":
            pass
        queue.value("select pgqueue_private.forget_day(%s)", day)
        done.append((day, did))
    return done


def finish_one(on: Queue, worker: int | None = None, **options: Any) -> str:
    """A task that ended, with an event, an artifact and a checkpoint."""
    lease = on.start(worker or on.worker(lease_s=1e9), **options)
    remember(on, lease)
    assert on.finish(lease, result=7) == []
    return lease["task_id"]


def remember(queue: Queue, lease: dict[str, Any]) -> None:
    parameters = (lease["task_id"], lease["lease_id"])
    queue.value(
        "select pgqueue_private.append_events(jsonb_build_array(jsonb_build_object("
        "'task_id', %s::text, 'lease_id', %s, 'seq', 1, 'level', 'info', 'message', 'm')))",
        *parameters,
    )
    queue.value(
        "select pgqueue_private.save_artifact(%s, %s, 'a', 'text/plain', 'x')::text", *parameters
    )
    queue.value("select pgqueue.save_checkpoint(%s, %s, 'c', '1')::text", *parameters)


def partitions(queue: Queue, day: date) -> list[str]:
    name = f"({'|'.join(FACTS)})"
    return queue.values(
        f"select relname from pg_class where relname ~ '^{name}_{day:%Y%m%d}(_kept)?$' order by 1"
    )


def everything(queue: Queue, id: str) -> list[Any]:
    """All that is known of a task, in words."""
    looks = [f"pgqueue_private.{fact} where task_id" for fact in FACTS[1:-1]]
    return [
        queue.rows(f"select * from {look} = %s", id) for look in ("pgqueue.tasks where id", *looks)
    ]


def test_a_day_whose_tasks_have_had_their_time_goes_whole(queue: Queue) -> None:
    day = today(queue)
    ids = [finish_one(queue) for _ in range(3)]
    queue.shift_clock(7 * DAY_S)
    assert prune_due(queue) == []
    assert prune(queue, day)["did"] == "nothing"
    assert len(partitions(queue, day)) == len(FACTS)
    queue.shift_clock(8 * DAY_S + 3700)
    assert prune_due(queue) == [(day, "dropped")]
    assert partitions(queue, day) == []
    assert queue.rows("select * from pgqueue.tasks where id = any(%s::uuid[])", ids) == []
    assert queue.count("rollup") == 0
    assert queue.count("rollup_hour") == 0  # not folded yet: the flush is counted all the same
    assert prune_due(queue) == []


def test_what_has_not_ended_stays_with_all_that_is_known_of_it(queue: Queue) -> None:
    day = today(queue)
    worker = queue.worker(lease_s=1e9)
    gone = [finish_one(queue, worker) for _ in range(5)]
    running = queue.start(worker)
    remember(queue, running)
    retrying = queue.start(worker)
    remember(queue, retrying)
    queue.finish(retrying, "failed", delay_s=30 * DAY_S)
    released = queue.start(worker)
    queue.finish(released, "released")
    later = queue.enqueue_many({"type": "t", "delay_s": 30 * DAY_S})[0]
    never = queue.enqueue(queue="nobody")
    kept = [running["task_id"], retrying["task_id"], released["task_id"], later, never]
    queue.value("select pgqueue_private.fold_rollups()")
    queue.shift_clock(9 * DAY_S)
    before = {id: everything(queue, id) for id in kept}
    assert all(before[id][0] for id in kept)
    assert (day, "replaced") in prune_due(queue)
    for id in kept:
        assert everything(queue, id) == before[id]
    assert queue.values("select status from pgqueue.tasks where id = any(%s::uuid[])", gone) == []
    assert queue.count("attempt") == 2
    assert len(partitions(queue, day)) == len(FACTS)
    # life goes on for them
    remember(queue, running)
    assert queue.finish(running, result=1) == []
    assert queue.claimed(worker) == [released["task_id"]]
    assert queue.cancel(later) == "cancelled"
    queue.shift_clock(31 * DAY_S)
    assert queue.promote()["moved"] == 1
    lease = next(row for row in queue.claim(worker) if row["task_id"] == retrying["task_id"])
    assert lease["resumes"]
    assert queue.finish(lease) == []


def test_a_day_that_was_replaced_goes_when_the_last_of_it_has_had_its_time(queue: Queue) -> None:
    day = today(queue)
    worker = queue.worker(lease_s=1e9)
    finish_one(queue, worker)
    lease = queue.start(worker)
    queue.value("select pgqueue_private.fold_rollups()")
    queue.shift_clock(9 * DAY_S)
    assert (day, "replaced") in prune_due(queue)
    assert prune_due(queue) == []
    queue.finish(lease)
    queue.shift_clock(15 * DAY_S)
    assert (day, "thinned") in prune_due(queue)
    assert queue.status(lease["task_id"]) == "completed"  # it ended six days ago
    queue.shift_clock(17 * DAY_S)
    assert (day, "thinned") in prune_due(queue)
    assert (day, "dropped") in prune_due(queue)
    assert partitions(queue, day) == []


def test_each_queue_keeps_what_ended_for_as_long_as_it_says(queue: Queue) -> None:
    day = today(queue)
    queue.value("""select pgqueue.set_queue('short', retention => '{"tasks_s": 86400}')::text""")
    queue.value("""select pgqueue.set_queue('long', retention => '{"tasks_s": 2592000}')::text""")
    ids = {name: finish_one(queue, queue=name) for name in ("short", "default", "long")}
    ids["default too"] = finish_one(queue)
    queue.value("select pgqueue_private.fold_rollups()")

    def left(days: float) -> set[str]:
        queue.shift_clock(days * DAY_S)
        prune_due(queue)
        prune_due(queue)
        return {name for name, id in ids.items() if everything(queue, id)[0]}

    assert left(1.9) >= {"default", "long", "default too"}
    assert left(2.5) == {"default", "long", "default too"}
    assert left(9) == {"long"}
    assert everything(queue, ids["long"])[4]
    assert left(29) == {"long"}
    assert left(40) == set()
    assert partitions(queue, day) == []


def test_what_ended_late_is_kept_from_its_end_on(queue: Queue) -> None:
    day = today(queue)
    worker = queue.worker(lease_s=1e9)
    early = [finish_one(queue, worker) for _ in range(4)]
    lease = queue.start(worker)
    queue.shift_clock(5 * DAY_S)
    queue.finish(lease, result=1)
    queue.value("select pgqueue_private.fold_rollups()")
    queue.shift_clock(9 * DAY_S)
    assert (day, "replaced") in prune_due(queue)
    assert queue.task(lease["task_id"])["result"] == 1
    assert everything(queue, early[0])[0] == []


def test_events_and_artifacts_can_go_before_their_tasks(queue: Queue) -> None:
    queue.value(
        """select pgqueue.set_queue('default', retention =>
               '{"tasks_s": 2592000, "events_s": 259200, "artifacts_s": 86400}')::text"""
    )
    id = finish_one(queue)
    other = finish_one(queue, queue="other")

    over = queue.value(
        "select extract(epoch from %s::date + 1 - pgqueue.clock() at time zone 'utc')::float8",
        today(queue),
    )

    def left(days: float) -> tuple[int, ...]:
        queue.shift_clock(over + days * DAY_S)  # after the day's end
        prune_due(queue)
        return tuple(len(look) for look in everything(queue, id))

    assert left(0.9) == (1, 1, 1, 1, 1)
    assert left(1.1) == (1, 1, 1, 0, 1)
    assert left(3.1) == (1, 1, 0, 0, 1)
    assert [len(look) for look in everything(queue, other)] == [1, 1, 1, 1, 1]


def test_a_retention_that_gets_shorter_holds_at_once(queue: Queue) -> None:
    id = finish_one(queue)
    queue.shift_clock(9 * DAY_S)
    long = """select pgqueue.set_queue('default', retention => '{"tasks_s": 2592000}')::text"""
    queue.value(long)
    prune_due(queue)
    assert queue.status(id) == "completed"
    assert prune_due(queue) == []
    queue.value("""select pgqueue.patch_queue('default', '{"retention": null}')""")
    prune_due(queue)
    assert everything(queue, id)[0] == []


def test_a_pruned_task_can_be_told_from_one_that_never_was(queue: Queue) -> None:
    id = finish_one(queue)
    pruned = "select pgqueue.is_pruned(%s)"
    assert not queue.value(pruned, id)
    queue.shift_clock(9 * DAY_S)
    prune_due(queue)
    assert queue.value(pruned, id)
    assert not queue.value(pruned, "019b2f6e-8a3c-7d12-8000-0a1b2c3d4e5f")
    assert not queue.value(pruned, queue.enqueue())
    assert queue.cancel(id) is None
    assert queue.retry(id) is None
    assert queue.update(id, priority=1) is None


def test_a_dead_letter_outlives_its_day_and_is_run_again_as_a_new_task(queue: Queue) -> None:
    lease = queue.start(queue.worker(lease_s=1e9))
    queue.finish(lease, "failed", retry=False)
    queue.shift_clock(9 * DAY_S)
    prune_due(queue)
    assert everything(queue, lease["task_id"])[0] == []
    new = queue.value("select pgqueue.redrive(%s)::text", lease["task_id"])
    assert new != lease["task_id"]
    assert queue.status(new) == "queued"


def test_keys_expiries_lists_and_replays_work_after_their_tasks_are_gone(queue: Queue) -> None:
    worker = queue.worker(lease_s=1e9)
    ((id, _),) = queue.enqueue_unique(
        {"type": "t", "dedup_key": "k", "dedup_statuses": ["completed"], "expires_in_s": 20 * DAY_S}
    )
    (lease,) = queue.claim(worker)
    queue.finish(lease)
    other = queue.enqueue(queue="nobody")
    queue.value("select pgqueue_private.fold_rollups()")
    queue.shift_clock(9 * DAY_S)
    prune_due(queue)
    ((again, verdict),) = queue.enqueue_unique(
        {"type": "t", "dedup_key": "k", "dedup_statuses": ["completed"]}
    )
    assert verdict == "stored"
    assert again != id
    for filters in ({}, {"status": "completed"}, {"type": "t"}):
        page = queue.row(
            """select * from pgqueue_private.list_tasks(%s, '-infinity', 'infinity',
                   'ffffffff-ffff-ffff-ffff-ffffffffffff', 50)""",
            Jsonb(filters),
        )
        found = {item["id"] for item in map(orjson.loads, page["items"])}
        assert found == (set() if "status" in filters else {again, other})
        assert page["next_before"] is None
    queue.shift_clock(21 * DAY_S)
    assert queue.value("select pgqueue_private.expire(10)") == 1
    queue.value("select pgqueue_private.prune_dedup()")
    assert queue.value("select pgqueue_private.stats(604800, null, null, 1)")


def test_no_one_waits_behind_a_long_reader(queue: Queue) -> None:
    finish_one(queue)
    day = today(queue)
    queue.shift_clock(9 * DAY_S)
    with queue.holding() as other:
        other.rows("select count(*) from pgqueue.tasks")
        # as old as it must be to be told from a short one
        queue.until(
            "select clock_timestamp() > %s::timestamptz + interval '2 s'",
            other.value("select xact_start from pg_stat_activity where pid = pg_backend_pid()"),
        )
        with pytest.raises(psycopg.Error, match="has been reading the tasks since"):
            prune(queue, day)
    assert prune(queue, day)["did"] == "dropped"


def test_a_reader_in_the_way_of_the_lock_is_not_waited_for_long(queue: Queue) -> None:
    day = today(queue)
    with queue.holding() as other:
        other.rows("select count(*) from pgqueue_private.task_event")
        with queue.connection.transaction():
            assert queue.value("select pgqueue_private.lock_facts(%s)", day) is False
            held = """select count(*) from pg_locks
                      where pid = pg_backend_pid() and mode = 'AccessExclusiveLock'"""
            assert queue.value(held) == 0
    with queue.connection.transaction():
        assert queue.value("select pgqueue_private.lock_facts(%s)", day) is True
        assert queue.value(held) == 2 * len(FACTS)


def test_only_the_day_and_the_parents_are_locked_against_readers(queue: Queue) -> None:
    day = today(queue)
    finish_one(queue)
    queue.enqueue(queue="nobody")
    queue.value("select pgqueue_private.fold_rollups()")
    queue.shift_clock(9 * DAY_S)
    known = set(queue.values("select oid from pg_class"))
    with queue.connection.transaction():
        assert prune(queue, day)["did"] == "replaced"
        locked = queue.rows(
            """select l.relation as oid, l.relation::regclass::text as name from pg_locks as l
               where l.pid = pg_backend_pid() and l.mode = 'AccessExclusiveLock'"""
        )
    names = {row["name"] for row in locked if row["oid"] in known}
    assert {f"pgqueue_private.{fact}" for fact in FACTS} <= names
    others = [name for name in names if re.search(rf"_(?!{day:%Y%m%d})\d{{8}}", name)]
    assert others == []


def test_nothing_is_locked_while_the_day_is_copied(queue: Queue) -> None:
    day = today(queue)
    finish_one(queue)
    waiting = queue.enqueue_many({"type": "t", "delay_s": 30 * DAY_S})[0]
    queue.value("select pgqueue_private.fold_rollups()")
    queue.shift_clock(9 * DAY_S)
    worker = queue.worker(lease_s=1e9)
    with queue.holding() as other:
        # a reader of the events: the copying is over when the pruner waits for it
        other.rows("select count(*) from pgqueue_private.task_event")
        pruning = queue.blocked(lambda q: prune(q, day))
        assert queue.enqueue()
        assert queue.claimed(worker)
        assert queue.status(waiting) == "scheduled"
        assert queue.promote()["moved"] == 0
    assert pruning.result(45)["did"] == "replaced"
    assert queue.status(waiting) == "scheduled"


def test_a_task_that_ends_while_its_day_is_copied_keeps_its_end(queue: Queue) -> None:
    day = today(queue)
    worker = queue.worker(lease_s=1e9)
    finish_one(queue, worker)
    leases = [queue.start(worker) for _ in range(2)]
    queue.value("select pgqueue_private.fold_rollups()")
    queue.shift_clock(9 * DAY_S)
    with queue.holding() as other:
        other.rows("select count(*) from pgqueue_private.task_event")
        pruning = queue.blocked(lambda q: prune(q, day))
        queue.finish(leases[0], result=1)
        queue.finish(leases[1], "failed", delay_s=60)
    assert pruning.result(45)["did"] == "replaced"
    assert queue.task(leases[0]["task_id"])["result"] == 1
    assert queue.status(leases[1]["task_id"]) == "retrying"


def test_a_retry_by_hand_waits_until_its_day_is_pruned(queue: Queue) -> None:
    day = today(queue)
    worker = queue.worker(lease_s=1e9)
    lease = queue.start(worker)
    queue.finish(lease, "failed", retry=False)
    queue.shift_clock(9 * DAY_S)
    with queue.holding() as other:
        assert prune(other, day)["did"] == "dropped"
        retrying = queue.blocked(lambda q: q.retry(lease["task_id"]))
    assert retrying.result(45) is None


def test_a_day_is_not_pruned_while_one_of_its_tasks_is_retried(queue: Queue) -> None:
    day = today(queue)
    lease = queue.start(queue.worker(lease_s=1e9))
    queue.finish(lease, "failed", retry=False)
    queue.shift_clock(9 * DAY_S)
    with queue.holding() as other:
        assert other.retry(lease["task_id"]) == "queued"
        assert prune(queue, day)["did"] == "busy"
    prune_due(queue)
    assert queue.status(lease["task_id"]) == "queued"


def test_two_do_not_prune_at_once(queue: Queue) -> None:
    finish_one(queue)
    day = today(queue)
    queue.shift_clock(9 * DAY_S)
    with queue.holding() as other:
        assert prune(other, day)["did"] == "dropped"
        assert prune(queue, day)["did"] == "busy"


@pytest.mark.parametrize("days", [-400, -3, 40])
def test_tasks_are_stored_whatever_maintenance_missed_and_the_clock_says(
    queue: Queue, days: int
) -> None:
    finish_one(queue)
    queue.shift_clock(days * DAY_S)
    id = finish_one(queue)
    assert queue.status(id) == "completed"
    queue.shift_clock((days + 9) * DAY_S)
    for _ in range(2):
        prune_due(queue)
    assert everything(queue, id)[0] == []
    queue.shift_clock(days * DAY_S)  # back again: the day is made again
    assert queue.status(finish_one(queue)) == "completed"


@pytest.mark.parametrize(
    "retention",
    [
        "[]",
        "5",
        '{"tasks_s": 3600}',
        '{"tasks_s": "1 day"}',
        '{"tasks_s": 1e99}',
        '{"events_s": 604801}',
        '{"tasks_s": 86400, "artifacts_s": 86401}',
        '{"letters_s": 1}',
        '{"dead_letters_s": 3599}',
    ],
)
def test_a_retention_that_cannot_be_is_refused(queue: Queue, retention: str) -> None:
    with pytest.raises(psycopg.Error) as refused:
        queue.value("select pgqueue.set_queue('q', retention => %s::jsonb)::text", retention)
    assert refused.value.sqlstate == "PQ004"


def test_the_retention_of_dead_letters_is_the_one_of_their_policy(queue: Queue) -> None:
    given = '{"tasks_s": 86400, "dead_letters_s": 7200}'
    queue.value("select pgqueue.set_queue('q', retention => %s::jsonb)::text", given)
    view = "select retention from pgqueue.queues where name = 'q'"
    assert queue.value(view) == {"tasks_s": 86400, "dead_letters_s": 7200}
    queue.value("select pgqueue.set_dead_letter_policy('q', '3 hours')::text")
    assert queue.value(view) == {"tasks_s": 86400, "dead_letters_s": 10800}
    queue.value("""select pgqueue.patch_queue('q', '{"retention": null}')""")
    assert queue.value(view) is None
    assert (
        queue.value("select retention from pgqueue.dead_letter_policies where queue = 'q'") is None
    )


def test_a_parent_stays_for_as_long_as_its_children_wait(queue: Queue) -> None:
    worker = queue.worker(lease_s=1e9)
    lease = queue.start(worker)
    other = queue.enqueue(queue="nobody")
    (child,) = queue.enqueue_many({"type": "t", "depends_on": [lease["task_id"], other]})
    queue.finish(lease, result=5)
    finish_one(queue, worker)
    queue.value("select pgqueue_private.fold_rollups()")
    queue.shift_clock(9 * DAY_S)
    prune_due(queue)
    assert queue.status(child) == "blocked"
    assert queue.task(lease["task_id"])["result"] == 5
    queue.shift_clock(11 * DAY_S)
    prune_due(queue)
    assert queue.task(lease["task_id"])["result"] == 5
    queue.cancel(other)
    queue.shift_clock(30 * DAY_S)
    prune_due(queue)
    assert everything(queue, lease["task_id"])[0] == []
