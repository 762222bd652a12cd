"""Supervisor or host killed: its processes end with it, its tasks run again after the lease."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.chaos.load import check_load, drained, load
from tests.figures import Figure
from tests.processes import alive
from tests.worker.conftest import Bench, eventually

ROW = "supervisor or host killed"
LEASE_S = 3.0
SHORT = {"PGQUEUE_LEASE_S": f"{LEASE_S:g}", "PGQUEUE_HEARTBEAT_S": "0.5"}
APP = ("--app", "tests.worker.isolated:app")

# Read by every Python process when it starts: the kernel here does not end orphans.
ELSEWHERE = """
from types import SimpleNamespace
from pgqueue_worker import parent
parent.sys = SimpleNamespace(platform="darwin")
"""

pytestmark = pytest.mark.timeout(240)


def test_a_killed_supervisor_takes_its_processes_along_and_its_tasks_run_again(
    bench: Bench, figure: Figure
) -> None:
    supervisor = bench.start(*APP, **SHORT)
    tasks = begin(bench)
    tasks.append(bench.enqueue("block"))  # now its event loop stands still, and sees nothing
    bench.passed("block-in")
    bench.start(*APP, **SHORT)  # another host
    family = psutil.Process(supervisor.pid).children(recursive=True)
    killed_at = bench.value("select pgqueue.clock()")
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait()
    eventually(lambda: not any(alive(p.pid) for p in family), "all of them end", 20)
    bench.open("block-out")
    again_s = run_again(bench, tasks, killed_at)
    figure(
        ROW,
        f"{len(family)} processes ended with it, its tasks ran again after {again_s:.1f} s"
        f" (lease {LEASE_S:g} s)",
        "≤ lease + 2 s",
    )


def test_where_the_kernel_does_not_end_orphans_they_end_by_themselves(
    bench: Bench, tmp_path: Path, figure: Figure
) -> None:
    (tmp_path / "sitecustomize.py").write_text(ELSEWHERE)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    supervisor = bench.start(*APP, PYTHONPATH=path, PGQUEUE_LEASE_S="600")
    begin(bench)
    family = psutil.Process(supervisor.pid).children(recursive=True)
    killed_at = bench.value("select pgqueue.clock()")
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait()
    eventually(lambda: not any(alive(p.pid) for p in family), "all of them end")
    ended_s = (bench.value("select pgqueue.clock()") - killed_at).total_seconds()
    figure(ROW, f"as on macOS: {len(family)} processes ended after {ended_s:.1f} s", "they end")


def begin(bench: Bench) -> list[str]:
    """Have a task run on the event loop, and one in a process of its own."""
    tasks = [bench.enqueue(type, {"name": "s"}) for type in ("gate", "wait")]
    bench.passed("s-in-1")
    bench.passed("wait-s")
    return tasks


def run_again(bench: Bench, tasks: list[str], killed_at: object) -> float:
    """Wait until they have, and give after how long the last of them did, in s."""
    bench.open("s-out")
    starts = []
    for task in tasks:
        assert bench.ended(task)["status"] == "completed"
        crashed, ran = bench.attempts(task)
        assert (crashed["outcome"], ran["outcome"]) == ("crashed", "completed")
        starts.append((ran["started_at"] - killed_at).total_seconds())
    return max(starts)


def test_killing_the_supervisor_loses_nothing(bench: Bench, figure: Figure) -> None:
    acknowledged = load(bench)
    supervisor = bench.start("--concurrency", "20", **SHORT)
    drained(bench, 500)
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait()
    bench.start("--concurrency", "20", **SHORT)
    drained(bench, len(acknowledged))
    cut = check_load(bench, acknowledged)["crashed"]
    figure(ROW, f"under load: lost 0, double 0, {cut} cut short", "0 / 0")
