"""Dead letters and operations, with real workers and supervisors."""

from tests.processes import free_port
from tests.worker.conftest import Bench, eventually
from tests.worker.supervisor.test_telemetry import metrics


def test_a_task_that_failed_for_good_is_kept_with_the_function_that_failed(bench: Bench) -> None:
    bench.start()
    ids = [bench.enqueue("final", {"n": n}) for n in range(2)]
    for id in ids:
        bench.ended(id)
    rows = bench.rows("select * from pgqueue.dead_letters")
    assert {str(row["id"]) for row in rows} == set(ids)
    assert len({row["fingerprint"] for row in rows}) == 1
    assert rows[0]["error"]["frame"] == "tests.worker.handlers.final"


def test_two_supervisors_redrive_each_letter_once_and_their_tasks_run(bench: Bench) -> None:
    bench.start("--queues", "other")
    bench.start("--queues", "default")
    ids = bench.enqueue_many([{"type": "fail", "payload": {"times": 3}}] * 30)
    for id in ids:
        assert bench.ended(id)["status"] == "failed"
    bench.rows("""select pgqueue.start_operation('redrive', '{"all": true}', 150)""")
    ended = "select * from pgqueue.operations where state = 'completed'"
    eventually(lambda: bench.rows(ended), "the operation ends")
    (row,) = bench.rows(ended)
    assert (row["done"], row["skipped"]) == (30, 0)
    for id in ids:
        task = bench.ended(id)
        assert (task["status"], task["attempt"]) == ("completed", 4)
    assert bench.rows("select from pgqueue.dead_letters") == []
    assert "operation_completed" in bench.logs()


def test_growth_is_logged_counted_and_runs_the_alert(bench: Bench) -> None:
    port = free_port()
    bench.rows(
        "select pgqueue.set_dead_letter_policy('*', growth_limit => 2, alert_type => 'echo')"
    )
    worker = bench.start("--metrics-port", str(port), "--queues", "none")
    bench.stop(worker)  # registers the types
    other = bench.value(
        "select pgqueue_private.register_worker('s', 'h', 1, '1', '{}', '{}', 10, 100000)"
    )
    bench.enqueue_many([{"type": "final"}] * 3)
    bench.rows(
        """select pgqueue_private.finish((
               select jsonb_agg(jsonb_build_object(
                   'task_id', task_id, 'lease_id', lease_id, 'outcome', 'failed', 'retry', false
               ))
               from pgqueue_private.claim(%s, '{default}', null, 3)
           ))""",
        other,
    )
    bench.start("--metrics-port", str(port))
    eventually(lambda: "dead_letters_growing" in bench.logs(), "growth is logged")
    gauge = 'pgqueue_dead_letters{queue="default"}'
    eventually(lambda: metrics(port).get(gauge) == 3, "letters are counted")
    assert metrics(port)['pgqueue_dead_letters_growing{queue="default"}'] == 1
    alert = (
        "select id::text, result from pgqueue.tasks where type = 'echo' and status = 'completed'"
    )
    eventually(lambda: bench.rows(alert), "the alert runs")
    assert bench.rows(alert)[0]["result"]["payload"]["queue"] == "default"
