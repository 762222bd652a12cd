"""Worker frozen past its lease, then woken: what it says is not heard any more."""

import os
import signal

import pytest

from tests.chaos.load import check_load, drained, load
from tests.figures import Figure
from tests.worker.conftest import Bench, eventually

ROW = "worker frozen past its lease, then woken"
APP = ("--app", "tests.chaos.handlers:app")
SHORT = {"PGQUEUE_LEASE_S": "2", "PGQUEUE_HEARTBEAT_S": "0.5"}

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("frozen", ["the whole host", "the supervisor alone"])
def test_a_worker_frozen_past_its_lease_cannot_finish_the_task(
    bench: Bench, figure: Figure, frozen: str
) -> None:
    bench.rows("create table effect (attempt int not null)")
    # full, so it asks for no more and learns nothing before it wants to finish
    host = bench.start(*APP, "--concurrency", "1", **SHORT)
    task = bench.enqueue("effect")
    bench.passed("effect-in-1")
    (pid,) = bench.processes()
    os.kill(host.pid, signal.SIGSTOP)
    if frozen == "the whole host":
        os.kill(pid, signal.SIGSTOP)
    second = bench.start(*APP, **SHORT)
    bench.passed("effect-in-2")  # both run it now, and both will finish it
    bench.open("effect-out")
    assert bench.ended(task)["status"] == "completed"
    os.kill(pid, signal.SIGCONT)
    bench.passed("effect-refused-1")
    outcomes = [a["outcome"] for a in bench.attempts(task)]
    assert outcomes == ["crashed", "completed"]
    assert bench.rows("select attempt from effect") == [{"attempt": 2}]
    figure(ROW, f"{frozen}: its finish and its write were refused", "LeaseLost, stale 0")

    os.kill(host.pid, signal.SIGCONT)
    assert bench.stop(second) == 0
    assert bench.ended(bench.enqueue("echo"))["status"] == "completed", "it works again"


def test_a_frozen_process_keeps_its_task_while_its_supervisor_answers_for_it(
    bench: Bench, figure: Figure
) -> None:
    bench.start("--processes", "2", "--concurrency", "1", **SHORT)
    eventually(lambda: len(bench.processes()) == 2, "both are there")
    kept = bench.enqueue("gate", {"name": "f"})
    timed = bench.enqueue("gate", {"name": "t"}, timeout_s=5)
    bench.passed("f-in-1")
    bench.passed("t-in-1")
    frozen = bench.processes()
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    bench.open("t-out")
    bench.open("f-out")
    assert bench.ended(timed)["status"] == "completed"
    assert [a["outcome"] for a in bench.attempts(timed)] == ["timed_out", "completed"]
    renewed = (
        "select max(expires_at) from pgqueue_private.worker "
        "where state = 'active' and pid = any(%s)"
    )
    first = bench.value(renewed, frozen)
    eventually(lambda: (bench.value(renewed, frozen) - first).total_seconds() > 6, "3 leases pass")
    assert bench.task(kept)["status"] == "active"
    (woken,) = set(bench.processes()) & set(frozen)
    os.kill(woken, signal.SIGCONT)
    assert bench.ended(kept)["status"] == "completed"
    assert [a["outcome"] for a in bench.attempts(kept)] == ["completed"]
    figure(
        ROW,
        "one process alone: kept for 3 leases by its supervisor; past its timeout, killed and run"
        " again",
        "never two at once",
    )


def test_freezing_a_worker_under_load_completes_nothing_twice(bench: Bench, figure: Figure) -> None:
    acknowledged = load(bench)
    host = bench.start("--concurrency", "20", **SHORT)
    drained(bench, 200)
    stopped = [host.pid, *bench.processes()]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    bench.start("--concurrency", "20", **SHORT)
    rescued = "select count(*) from pgqueue.attempts where outcome = 'crashed'"
    eventually(lambda: bench.value(rescued), "its lease has run out")
    for pid in reversed(stopped):
        os.kill(pid, signal.SIGCONT)
    drained(bench, len(acknowledged))
    cut = check_load(bench, acknowledged)["crashed"]
    figure(ROW, f"under load: lost 0, double 0, stale 0, {cut} run again", "0 / 0 / 0")
