"""Enqueue: what is stored, with which defaults, in which order, and all or none of it."""

from datetime import timedelta

import orjson
import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.database.queue import Queue

pytestmark = pytest.mark.database


def test_a_bare_task_gets_the_defaults_and_is_queued(queue: Queue) -> None:
    task = queue.task(queue.enqueue("send_receipt"))
    wanted = {
        "type": "send_receipt",
        "queue": "default",
        "status": "queued",
        "status_reason": None,
        "priority": 5,
        "payload": {},
        "max_attempts": 3,
        "attempt": 0,
        "run_at": None,
        "timeout_s": None,
        "started_at": None,
        "finished_at": None,
    }
    assert {name: task[name] for name in wanted} == wanted


def test_what_the_caller_gives_is_what_is_stored(queue: Queue) -> None:
    id = queue.enqueue(
        payload=Jsonb({"order": 7}), queue="email", priority=0, max_attempts=9, timeout_s=2.5
    )
    task = queue.task(id)
    assert task["payload"] == {"order": 7}
    assert (task["queue"], task["priority"]) == ("email", 0)
    assert (task["max_attempts"], task["timeout_s"]) == (9, 2.5)


def test_a_published_type_gives_the_defaults(queue: Queue) -> None:
    queue.rows(
        """select pgqueue_private.publish_types('[{"name": "mail", "queue": "email",
           "max_attempts": 7, "timeout_s": 3, "description": "", "payload_schema": {}}]')"""
    )
    task = queue.task(queue.enqueue("mail"))
    assert (task["queue"], task["max_attempts"]) == ("email", 7)
    assert queue.task(queue.enqueue("mail", queue="other"))["queue"] == "other"


def test_a_task_of_the_future_is_scheduled_and_cannot_be_claimed(queue: Queue) -> None:
    id = queue.enqueue(run_at=queue.now() + timedelta(hours=1))
    (delayed,) = queue.enqueue_many({"type": "t", "delay_s": 60})
    assert queue.status(id) == queue.status(delayed) == "scheduled"
    assert queue.task(id)["status_reason"].startswith("waits until 2")
    assert queue.claimed(queue.worker()) == []


@pytest.mark.parametrize(
    "option", [{"delay_s": 0}, {"delay_s": -5}, {"run_at": "2001-01-01T00:00Z"}]
)
def test_a_task_of_the_past_is_queued_at_once(queue: Queue, option: dict) -> None:
    (id,) = queue.enqueue_many({"type": "t", **option})
    assert queue.status(id) == "queued"
    assert queue.claimed(queue.worker()) == [id]


def test_a_delay_counts_from_the_databases_clock(queue: Queue) -> None:
    day_before = queue.now()
    queue.shift_clock(86_400)
    (id,) = queue.enqueue_many({"type": "t", "delay_s": 60})
    task = queue.task(id)
    assert task["run_at"] - task["created_at"] == timedelta(seconds=60)
    assert task["created_at"] - day_before > timedelta(hours=23)


@pytest.mark.parametrize(
    "options",
    [
        {"priority": -1},
        {"priority": 11},
        {"max_attempts": 0},
        {"max_attempts": 1001},
        {"timeout_s": 0},
        {"timeout_s": -1},
        {"queue": ""},
        {"queue": "q" * 101},
        {"type": ""},
        {"type": "t" * 101},
    ],
    ids=str,
)
def test_what_is_out_of_bounds_is_refused(queue: Queue, options: dict) -> None:
    with pytest.raises(psycopg.Error) as caught:
        queue.enqueue(**options)
    assert caught.value.sqlstate == "PQ004"
    assert next(iter(options)) in caught.value.diag.message_hint


@pytest.mark.parametrize("priority", [0, 10])
def test_the_bounds_of_priority_are_priorities(queue: Queue, priority: int) -> None:
    assert queue.task(queue.enqueue(priority=priority))["priority"] == priority


def test_a_task_without_a_type_is_refused(queue: Queue) -> None:
    with pytest.raises(psycopg.Error) as caught:
        queue.value("select pgqueue.enqueue(null)")
    assert caught.value.sqlstate == "PQ004"


@pytest.mark.parametrize("run_at", ["infinity", "-infinity", "20000-01-01", "1969-12-31 00:00Z"])
def test_a_time_that_programs_cannot_hold_is_refused(queue: Queue, run_at: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        queue.enqueue(run_at=run_at)
    assert caught.value.sqlstate == "PQ004"
    assert queue.promote()["moved"] == 0


@pytest.mark.parametrize("timeout", ["NaN", "Infinity", "1e30"])
def test_a_timeout_that_would_break_every_claim_is_refused(queue: Queue, timeout: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        queue.enqueue(timeout_s=timeout)
    assert caught.value.sqlstate == "PQ004"
    id = queue.enqueue(timeout_s=1_000_000)
    assert queue.claimed(queue.worker()) == [id]


def test_one_bad_task_refuses_the_whole_call(queue: Queue) -> None:
    with pytest.raises(psycopg.Error) as caught:
        queue.enqueue_many(
            {"type": "a"}, {"type": "b", "delay_s": 9}, {"type": "c", "priority": 11}
        )
    assert caught.value.sqlstate == "PQ004"
    assert queue.count("task") == queue.count("ready") == queue.count("delayed") == 0


def test_a_rolled_back_enqueue_never_was(queue: Queue) -> None:
    with queue.holding() as other:
        id = other.enqueue()
        assert other.status(id) == "queued"
        raise psycopg.Rollback
    assert queue.count("task") == queue.count("ready") == 0


def test_a_task_is_seen_by_others_once_it_commits(queue: Queue) -> None:
    worker = queue.worker()
    with queue.holding() as other:
        id = other.enqueue()
        assert queue.claimed(worker) == []
    assert queue.claimed(worker) == [id]


@pytest.mark.usefixtures("running_clock")
def test_ids_come_in_the_order_given_and_grow_with_time(queue: Queue) -> None:
    ids = queue.enqueue_many(*[{"type": f"t{n}", "delay_s": n % 2} for n in range(1000)])
    assert ids == sorted(ids)
    assert len(set(ids)) == 1000
    types = queue.values("select type from pgqueue_private.task order by id")
    assert types == [f"t{n}" for n in range(1000)]
    later = [queue.enqueue() for _ in range(50)]
    assert later == sorted(later)
    assert later[0] > ids[-1]


def test_an_id_is_a_uuid_of_version_7_that_tells_its_time(queue: Queue) -> None:
    ids = queue.enqueue_many(*[{"type": "t"}] * 300)
    assert {id[14] for id in ids} == {"7"}
    assert {id[19] for id in ids} <= set("89ab")
    assert queue.value(
        """select bool_and(pgqueue_private.id_time(id) = created_at
           and id >= pgqueue_private.first_id_at(created_at)
           and id < pgqueue_private.first_id_at(created_at + interval '1 microsecond'))
           from pgqueue_private.task"""
    )


def test_nothing_enqueued_gives_no_ids(queue: Queue) -> None:
    assert queue.row("select * from pgqueue.enqueue_many('[]')")["ids"] == []


def test_only_queues_with_runnable_tasks_are_named_for_the_doorbell(queue: Queue) -> None:
    queues = queue.value(
        """select queues from pgqueue.enqueue_many('[{"type": "t", "queue": "now"},
           {"type": "t", "queue": "now"}, {"type": "t", "queue": "later", "delay_s": 60}]')"""
    )
    assert queues == ["now"]


def test_a_trace_context_travels_with_the_task(queue: Queue) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    queue.enqueue_many({"type": "t", "traceparent": trace})
    (lease,) = queue.claim(queue.worker())
    assert lease["traceparent"] == trace


@pytest.mark.parametrize("payload", ["null", "0", "false", '""', "[]", '"text"', "[1, null]"])
def test_a_payload_is_any_json_value(queue: Queue, payload: str) -> None:
    ids = [
        queue.value("select pgqueue.enqueue('t', %s)", payload),
        queue.value("select pgqueue.enqueue('t', %s, dedup_key => 'a')", payload),
        queue.value("select pgqueue.enqueue('t', run_at => '2900-01-01', dedup_key => 'b')"),
        *queue.enqueue_many({"type": "t", "payload": orjson.loads(payload)}),
    ]
    queue.rows(
        "select pgqueue.enqueue('t', %s, dedup_key => 'b', on_conflict => 'replace')", payload
    )
    queue.rows("select pgqueue.set_schedule('s', 't', %s, '0 0 1 1 *')", payload)
    queue.rows("select pgqueue.set_schedule('s', enabled => true)")  # leaves it
    ids.append(queue.value("select pgqueue.trigger_schedule('s')"))
    for id in ids:
        assert queue.value("select payload::text from pgqueue.tasks where id = %s", id) == payload


@pytest.mark.parametrize("name", ["priority", "max_attempts", "cost"])
@pytest.mark.parametrize("value", [-1, 10**6, 2**31 - 1])
def test_a_number_too_large_for_its_column_is_out_of_range(
    queue: Queue, name: str, value: int
) -> None:
    with pytest.raises(psycopg.Error, match=f"{name} of task 0 is out of range: {value}") as caught:
        queue.value(f"select pgqueue.enqueue('t', {name} => %s)", value)
    assert caught.value.sqlstate == "PQ004"
    assert name in str(caught.value.diag.message_hint)


def test_a_payload_that_is_left_out_is_an_empty_object(queue: Queue) -> None:
    ids = [
        queue.value("select pgqueue.enqueue('t')"),
        queue.value("select pgqueue.enqueue('t', null)"),
        queue.value("select pgqueue.enqueue('t', payload => null, dedup_key => 'a')"),
        *queue.enqueue_many({"type": "t", "payload": 1}, {"type": "t"}, {"type": "t", "cost": 1}),
    ]
    queue.rows("select pgqueue.set_schedule('s', 't', cron => '0 0 1 1 *')")
    ids.append(queue.value("select pgqueue.trigger_schedule('s')"))
    payloads = [queue.value("select payload from pgqueue.tasks where id = %s", id) for id in ids]
    assert payloads == [{}, {}, {}, 1, {}, {}, {}]
