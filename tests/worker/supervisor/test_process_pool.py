"""Worker processes come with the load and go with it, and nothing runs twice for it."""

import pytest

from tests.worker.conftest import Bench, eventually


@pytest.mark.timeout(120)
def test_processes_come_with_the_load_and_go_with_it(bench: Bench) -> None:
    bench.start("--processes", "1..3", "--concurrency", "2", PGQUEUE_SHRINK_S="2")
    ids = [bench.enqueue("gate", {"name": f"g{n}"}) for n in range(12)]
    eventually(lambda: len(bench.processes()) == 3, "there are as many as there may be")
    eventually(
        lambda: bench.value("select count(*) from pgqueue_private.running") == 6, "all are busy"
    )
    for n in range(11):
        bench.open(f"g{n}-out")
    last = ids[11]
    eventually(lambda: bench.task(last)["status"] == "active", "the last runs")
    # the one that is left is not one of those that have nothing to do
    eventually(lambda: len(bench.processes()) == 1, "one is left")
    assert bench.task(last)["status"] == "active"
    bench.open("g11-out")
    for id in ids:
        assert bench.ended(id)["status"] == "completed"
        starts = [a for a in bench.attempts(id) if a["outcome"] != "released"]
        assert [a["attempt"] for a in starts] == [1], "it ran once, and no attempt was charged"
    states = "select array_agg(distinct state order by state) from pgqueue.workers"
    eventually(
        lambda: bench.value(states) == ["active", "stopped"],
        "the others have ended, and none was lost",
    )
    assert "worker_died" not in bench.logs()


@pytest.mark.timeout(120)
def test_a_process_that_is_too_many_sees_its_attempts_to_their_end(bench: Bench) -> None:
    bench.start("--processes", "1..2", "--concurrency", "2", PGQUEUE_SHRINK_S="1")
    ids = [bench.enqueue("gate", {"name": f"g{n}"}) for n in range(4)]
    held = "select task_id::text as id, worker_id from pgqueue_private.running"
    eventually(lambda: len(bench.rows(held)) == 4, "all run, in two processes")
    one_of_each = {row["worker_id"]: row["id"] for row in bench.rows(held)}
    assert len(one_of_each) == 2
    for id in set(ids) - set(one_of_each.values()):
        bench.open(f"g{ids.index(id)}-out")  # two places of four are taken: one process would do
    (leaving,) = eventually(lambda: bench.workers_in("draining"), "one is too many")
    assert leaving not in bench.processes()
    for _ in range(3):
        (attempt,) = bench.attempts(bench.ended(bench.enqueue("echo"))["id"])
        assert not attempt["worker"].endswith(f":{leaving}")
    assert len(bench.rows(held)) == 2
    for n in range(4):
        bench.open(f"g{n}-out")
    for id in ids:
        assert bench.ended(id)["status"] == "completed"
        assert [a["attempt"] for a in bench.attempts(id)] == [1]
    eventually(lambda: leaving in bench.workers_in("stopped"), "it has ended")
