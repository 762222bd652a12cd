"""The processes that handlers start: they obey signals, and do not outlive their worker."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.commands import Command
from tests.processes import alive
from tests.worker.conftest import Bench, eventually
from tests.worker.starting import WAYS

APP = ("--app", "tests.worker.starting:app")
HANDLERS = ("start", "start_async", "start_isolated", "start_isolated_async", "start_in_function")


def test_what_a_handler_starts_in_whatever_way_ignores_no_signal(bench: Bench) -> None:
    bench.start(*APP)
    tasks = {type: bench.enqueue(type) for type in HANDLERS}
    nothing = {way: {} for way in (*WAYS, "asyncio")}
    wanted = dict.fromkeys(HANDLERS, nothing) | {"start_in_function": {"subprocess": {}}}
    found = {type: bench.ended(task) for type, task in tasks.items()}
    assert {type: task["error"] for type, task in found.items()} == dict.fromkeys(HANDLERS)
    assert {type: task["result"] for type, task in found.items()} == wanted


def test_a_pool_of_processes_in_a_plain_handler_ends_with_its_block(bench: Bench) -> None:
    bench.start(*APP)
    assert bench.ended(bench.enqueue("pool"))["result"] == [1, 2]


def started(bench: Bench, name: str) -> int:
    """Return the pid of what a handler started."""
    file = bench.folder / f"started-{name}"
    return int(eventually(lambda: file.exists() and file.read_text(), f"{name} is started"))


@pytest.fixture
def left(bench: Bench) -> Iterator[list[int]]:
    """The processes that left their worker on purpose: for this test to end."""
    yield []
    for file in bench.folder.glob("started-*-away"):
        with suppress(ProcessLookupError):
            os.kill(int(file.read_text()), signal.SIGKILL)


def drained(bench: Bench, worker: Command) -> None:
    assert bench.stop(worker) == 0


def process_killed(bench: Bench, worker: Command) -> None:
    (pid,) = bench.processes()
    os.kill(pid, signal.SIGKILL)


def supervisor_killed(bench: Bench, worker: Command) -> None:
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()


@pytest.mark.parametrize("end", [drained, process_killed, supervisor_killed])
def test_what_a_handler_left_ends_with_its_worker_process_unless_it_has_a_session_of_its_own(
    bench: Bench, left: list[int], end
) -> None:
    worker = bench.start(*APP, PGQUEUE_GRACE_S="0", PGQUEUE_STOP_GRACE_S="0.1")
    assert bench.ended(bench.enqueue("leave", {"name": "a"}))["status"] == "completed"
    names = ["a", "a-below"]
    if end is not drained:
        bench.enqueue("leave", {"name": "b", "wait": True})
        bench.enqueue("leave_isolated", {"name": "c"})
        names += ["b", "b-below", "c", "c-below"]
    pids = [started(bench, name) for name in names]
    away = [started(bench, f"{name}-away") for name in names[::2]]
    assert all(alive(pid) for pid in pids)
    end(bench, worker)
    eventually(lambda: not any(alive(pid) for pid in pids), "they end")
    assert all(alive(pid) for pid in away)


def test_an_isolated_handler_that_dies_takes_along_what_it_started(bench: Bench) -> None:
    bench.start(*APP)
    task = bench.enqueue("leave_isolated", {"name": "d", "die": True})
    assert bench.ended(task)["error"]["message"] == "its process was killed by SIGKILL"
    pids = [started(bench, name) for name in ("d", "d-below")]
    eventually(lambda: not any(alive(pid) for pid in pids), "they end")
