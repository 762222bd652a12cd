"""Worker process killed: its supervisor sees it end, and its tasks run again at once."""

import os
import signal

import psutil
import pytest

from tests.chaos.load import check_load, drained, load
from tests.figures import Figure
from tests.processes import alive
from tests.worker.conftest import Bench, eventually

ROW = "worker process killed"
LONG = {"PGQUEUE_LEASE_S": "600"}  # nobody waits for the lease to run out

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize(("type", "mark"), [("gate", "k-in-1"), ("wait", "wait-k")])
def test_tasks_of_a_killed_worker_process_run_again_within_a_second(
    bench: Bench, figure: Figure, type: str, mark: str
) -> None:
    bench.start("--app", "tests.worker.isolated:app", "--processes", "2", **LONG)
    eventually(lambda: len(bench.processes()) == 2, "both are there")
    task = bench.enqueue(type, {"name": "k"})
    bench.passed(mark)
    ((holder,),) = [
        row.values()
        for row in bench.rows(
            "select w.pid from pgqueue_private.running as r "
            "join pgqueue_private.worker as w on w.id = r.worker_id"
        )
    ]
    family = psutil.Process(holder).children(recursive=True)
    bench.open("k-out")
    killed_at = bench.value("select pgqueue.clock()")
    os.kill(holder, signal.SIGKILL)
    assert bench.ended(task)["status"] == "completed"
    crashed, ran = bench.attempts(task)
    assert (crashed["outcome"], ran["outcome"]) == ("crashed", "completed")
    again_s = (ran["started_at"] - killed_at).total_seconds()
    figure(ROW, f"{type}: its task ran again after {again_s:.2f} s", "≤ 1 s")
    assert again_s < 60, "nobody waited for the lease to run out"
    eventually(lambda: not any(alive(p.pid) for p in family), "its children end with it")
    eventually(lambda: len(bench.processes()) == 2, "another takes its place")


def test_killing_worker_processes_loses_nothing(bench: Bench, figure: Figure) -> None:
    acknowledged = load(bench)
    worker = bench.start("--processes", "2", "--concurrency", "20", **LONG)
    for share in (300, 800, 1_300):
        drained(bench, share)
        for pid in bench.processes():
            os.kill(pid, signal.SIGKILL)
    drained(bench, len(acknowledged))
    cut = check_load(bench, acknowledged)["crashed"]
    assert cut <= 3 * 2 * 40 * 2, "no more than was in flight ran again"
    figure(ROW, f"3 × all under load: lost 0, double 0, stale 0, {cut} cut short", "0 / 0 / 0")
    assert bench.stop(worker) == 0
