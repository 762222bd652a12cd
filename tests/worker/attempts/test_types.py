"""Workers of several apps on one database and one queue: each takes its own types only."""

from tests.worker.conftest import Bench, eventually

NOTHING = {"attempts": 0, "events": 0, "waits": 0}
TOUCHED = """
    select
        (select count(*) from pgqueue_private.attempt where task_id = %(id)s) as attempts,
        (select count(*) from pgqueue_private.task_event where task_id = %(id)s) as events,
        (select count(*) from pgqueue_private.delayed where task_id = %(id)s) as waits
"""


def touched(bench: Bench, id: str) -> dict[str, int]:
    return bench.connection.execute(TOUCHED, {"id": id}).fetchone()


def test_a_task_of_an_unknown_type_waits_untouched_until_a_worker_has_it(bench: Bench) -> None:
    bench.start()
    foreign = bench.enqueue("resume")
    ours = [bench.enqueue("echo") for _ in range(20)]
    for id in ours:
        assert bench.ended(id)["status"] == "completed"
    assert touched(bench, foreign) == NOTHING
    assert bench.task(foreign)["status"] == "queued"
    bench.start("--app", "tests.worker.remembering:app")
    assert bench.ended(foreign)["attempt"] >= 1
    assert [a["outcome"] for a in bench.attempts(foreign)].count("released") == 0


def test_a_backlog_of_another_app_does_not_hold_up_a_worker(bench: Bench) -> None:
    foreign = bench.enqueue_many([{"type": "foreign", "priority": n % 3} for n in range(3000)])
    bench.start()
    for _ in range(5):
        assert bench.ended(bench.enqueue("echo"))["status"] == "completed"
    assert bench.value("select count(*) from pgqueue_private.ready") == 3000
    assert touched(bench, foreign[0]) == touched(bench, foreign[-1]) == NOTHING


def test_queues_with_limits_leave_other_types_alone_too(bench: Bench) -> None:
    bench.rows("select pgqueue.set_queue('two', concurrency => 2)")
    bench.rows("select pgqueue.set_queue('fair', fairness => '{}')")
    foreign = [
        bench.enqueue("foreign", queue=queue, fairness_key=key)
        for queue in ("two", "fair")
        for key in ("a", "b", "c", "d")
    ]
    bench.start()
    ours = [
        bench.enqueue("echo", queue=queue, fairness_key="z")
        for queue in ("two", "fair")
        for _ in range(3)
    ]
    for id in ours:
        assert bench.ended(id)["status"] == "completed"
    for id in foreign:
        assert touched(bench, id) == NOTHING
    eventually(lambda: "task_released" not in bench.logs(), "nothing was released")
