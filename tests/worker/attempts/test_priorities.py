"""Priorities, ageing and forgotten keys, with the worker that its users start."""

from tests.worker.conftest import Bench, eventually


def test_an_urgent_task_is_the_next_to_start_behind_thousands_of_others(bench: Bench) -> None:
    bench.enqueue("gate", {"name": "first"})
    bench.start("--concurrency", "1", "--processes", "1")
    bench.passed("first-in-1")
    bench.value(
        """select cardinality(ids) from pgqueue.enqueue_many((
               select jsonb_agg('{"type": "gate", "payload": {"name": "rest"}}'::jsonb)
               from generate_series(1, 5000)
           ))"""
    )
    urgent = bench.enqueue("gate", {"name": "urgent"}, priority=0)
    raised = bench.enqueue("gate", {"name": "raised"}, priority=9)
    bench.value("select pgqueue.update_task(%s, priority => 1)", raised)
    for end, start in (("first", "urgent"), ("urgent", "raised")):
        bench.open(f"{end}-out")
        bench.passed(f"{start}-in-1")
    assert bench.task(urgent)["attempt"] == 1
    starts = (
        "select count(*) from pgqueue.attempts as a join pgqueue_private.task as t "
        "on t.id = task_id"
    )
    assert bench.value(f"{starts} where payload ->> 'name' = 'rest'") == 0


def test_the_supervisor_ages_what_waits_and_forgets_keys(bench: Bench) -> None:
    bench.value("select pgqueue.set_queue('slow', ageing_s => 0.01)::text")
    ended = bench.enqueue("echo", dedup_key="k")
    bench.value("select pgqueue.cancel(%s)", ended)
    bench.value("select pgqueue_private.shift_clock(interval '11 minutes')::text")
    waits = bench.enqueue("echo", queue="slow", priority=10)
    bench.start("--queues", "another", "--processes", "1")
    eventually(
        lambda: bench.task(waits)["status_reason"] == "raised to priority 0 by its age",
        "the supervisor raises it",
    )
    eventually(
        lambda: bench.value("select count(*) from pgqueue_private.dedup") == 0,
        "the key is forgotten",
    )
