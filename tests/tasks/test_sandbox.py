"""The child process in which engines run a user's input."""

import asyncio
import os
import signal

import psutil
import pytest
from pgqueue_tasks import _sandbox
from pgqueue_tasks._aggregation.engine import Aggregation
from pgqueue_tasks._aggregation.models import AggregationPayload
from pgqueue_tasks.data_aggregation import data_aggregation
from pgqueue_tasks.errors import EngineFailed, InputRefused

from tests.tasks.recording import RecordingContext

ENDLESS = AggregationPayload.model_validate(
    {"rows": [{"a": 1}], "sql": "select sum(i) from range(1000000000000) t(i)"}
)


def ignore(percent, message):
    pass


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Write a module whose function is served in a child; give how to run it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    async def run(body, *, request=b"{}", cpu_seconds=20, max_output_bytes=100):
        (tmp_path / "an_engine.py").write_text(
            "import os, sys\nfrom pgqueue_tasks._child import serve\n"
            f"def run(request, progress):\n    {body}\nserve(run)\n"
        )
        return await _sandbox.run_in_child(
            "an_engine",
            request,
            ignore,
            memory_bytes=1 << 29,
            cpu_seconds=cpu_seconds,
            max_output_bytes=max_output_bytes,
        )

    return run


async def test_the_child_sees_nothing_of_the_workers_environment(engine, monkeypatch):
    monkeypatch.setenv("PGQUEUE_DATABASE_URL", "postgresql://secret")
    names, _ = await engine("return sorted(os.environ), b''")
    assert set(names) <= {"LC_CTYPE", "PYTHONPATH", "PYTHONUTF8"}


async def test_the_child_begins_in_an_empty_directory_and_can_write_no_file(engine):
    assert await engine("return os.listdir(), b''") == ([], b"")
    with pytest.raises(EngineFailed, match=r"File too large|ended with"):
        await engine("open('x', 'w').write('y' * 100000); return 1, b''")


async def test_prints_do_not_break_the_protocol(engine):
    assert await engine("print('noise', flush=True); return 1, b'ab'") == (1, b"ab")


async def test_too_much_output_is_refused(engine):
    with pytest.raises(InputRefused, match="101 bytes"):
        await engine("return 1, b'x' * 101")


async def test_an_engine_that_outgrows_its_memory_is_refused(engine):
    with pytest.raises(InputRefused, match="memory"):
        await engine("return len(bytearray(1 << 30)), b''")


async def test_an_engine_that_takes_too_much_processor_time_is_refused(engine):
    with pytest.raises(InputRefused, match="processor time"):
        await engine("\n    while True: pass", cpu_seconds=1)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise KeyError('k')", "KeyError"),
        ("os._exit(3)", "ended with 3"),
        ("os.kill(os.getpid(), 11)", "ended with -11"),
        ("sys.stderr.write('the reason'); sys.stderr.flush(); os._exit(4)", "the reason"),
    ],
)
async def test_an_engine_that_breaks_says_why_and_may_be_retried(engine, body, said):
    with pytest.raises(EngineFailed, match=said):
        await engine(body)


class Started(RecordingContext):
    """Says when the query has begun."""

    def __init__(self, loop):
        super().__init__()
        self.loop, self.begun = loop, asyncio.Event()

    def progress(self, percent, message=None):
        super().progress(percent, message)
        if percent == 40:
            self.loop.call_soon_threadsafe(self.begun.set)


async def test_a_cancelled_task_has_killed_its_child_when_the_cancellation_arrives():
    ctx = Started(asyncio.get_running_loop())
    task = asyncio.create_task(data_aggregation(ctx, ENDLESS))
    await ctx.begun.wait()
    [child] = [
        c for c in psutil.Process().children() if "pgqueue_tasks._aggregation" in str(c.cmdline())
    ]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not psutil.pid_exists(child.pid)


async def test_a_child_killed_from_outside_does_not_hang_the_task():
    ctx = Started(asyncio.get_running_loop())
    task = asyncio.create_task(data_aggregation(ctx, ENDLESS))
    await ctx.begun.wait()
    for child in psutil.Process().children():
        if "pgqueue_tasks._aggregation" in str(child.cmdline()):
            os.kill(child.pid, signal.SIGTERM)
    with pytest.raises(EngineFailed, match="ended with -15"):
        await task


async def test_an_interrupted_thread_ends_its_query():
    loop = asyncio.get_running_loop()
    begun = asyncio.Event()

    def progress(percent, message):
        if percent == 40:
            loop.call_soon_threadsafe(begun.set)

    run = Aggregation(ENDLESS, progress)
    thread = asyncio.create_task(asyncio.to_thread(run.run))
    await begun.wait()
    while not thread.done():
        run.stop()
        await asyncio.wait({thread}, timeout=0.02)
    assert thread.exception() is not None
