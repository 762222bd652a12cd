"""``ctx.run_isolated``: what a function in a process of its own can do, and what it cannot."""

import asyncio
import os
import struct
from collections.abc import AsyncIterator
from datetime import timedelta

import psutil
import pytest
from pgqueue_worker.isolation.pool import Pool

from pgqueue import Context, FunctionFailed, ResourcesExceeded, UsageError
from pgqueue.models.tasks.status import LeaseId, TaskId
from pgqueue.testing.recorder import Recorder
from tests.processes import alive, fork_servers
from tests.worker import isolated_functions as functions


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[Pool]:
    """One for all: a fork server starts in half a second."""
    pool = Pool(None, builtin=False, dsn="", grace_s=0)
    yield pool
    await pool.close()
    assert fork_servers() == []


@pytest.fixture
def recorder(pool: Pool) -> Recorder:
    class Isolating(Recorder):
        def run_isolated(self, context, call):
            return pool.run_function(context, call)

    return Isolating()


@pytest.fixture
def ctx(recorder: Recorder) -> Context:
    return Context(
        task_id=TaskId("0198c0de-0000-7000-8000-000000000001"),
        lease_id=LeaseId(1 << 60),
        attempt=2,
        max_attempts=3,
        type="t",
        queue="q",
        reporter=recorder,
    )


@pytest.mark.parametrize(
    "value", [None, 1, "ä", [1, {"a": None}], b"", b"\x00\xff", ({"n": 1}, b"x" * 1_000_000)]
)
async def test_it_returns_json_or_bytes_or_both(ctx: Context, value: object) -> None:
    got = await ctx.run_isolated(functions.back, value)
    assert (got, type(got)) == (value, type(value))


async def test_it_may_be_named_so_that_the_worker_need_not_import_it(ctx: Context) -> None:
    assert await ctx.run_isolated("tests.worker.isolated_functions:back", 7) == 7
    with pytest.raises(FunctionFailed, match="ModuleNotFoundError"):
        await ctx.run_isolated("tests.not_there:back", 7)


async def test_it_reports_progress_text_and_log_lines(ctx: Context, recorder: Recorder) -> None:
    assert await ctx.run_isolated(functions.report) == [ctx.task_id, 2, "t"]
    assert recorder.progress_calls == [(40.0, "half")]
    assert recorder.text_pieces == ["a piece"]
    assert recorder.logs == [("warning", "careful", {"n": 1})]


async def test_it_sees_nothing_of_the_workers_environment_and_begins_in_an_empty_folder(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGQUEUE_DATABASE_URL", "postgresql://secret")
    seen = await ctx.run_isolated(functions.surroundings)
    python = {"PYTHONPATH", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE"}
    assert set(seen["env"]) <= {"LC_CTYPE"} | python
    assert {setting.split("=")[0] for setting in seen["initial"]} <= set(seen["env"])
    assert seen["files"] == []


async def test_each_call_has_a_process_of_its_own(ctx: Context) -> None:
    pids = await asyncio.gather(*(ctx.run_isolated(functions.pid) for _ in range(5)))
    assert len(set(pids)) == 5
    assert not any(alive(pid) for pid in pids)


async def test_prints_do_not_break_the_protocol(ctx: Context) -> None:
    assert await ctx.run_isolated(functions.printing) == (1, b"ab")


async def test_it_writes_no_file_unless_it_is_allowed_to(ctx: Context) -> None:
    with pytest.raises(FunctionFailed, match="File too large"):
        await ctx.run_isolated(functions.writing, 1)
    assert await ctx.run_isolated(functions.writing, 1000, file_limit=1000) == 1000
    with pytest.raises(FunctionFailed, match="File too large"):
        await ctx.run_isolated(functions.writing, 1001, file_limit=1000)


async def test_output_beyond_its_limit_is_refused(ctx: Context) -> None:
    assert len((await ctx.run_isolated(functions.bytes_of, 100, output_limit=100))[1]) == 100
    with pytest.raises(ResourcesExceeded, match="101 bytes, at most 100 are allowed"):
        await ctx.run_isolated(functions.bytes_of, 101, output_limit=100)
    with pytest.raises(ResourcesExceeded, match="at most 200,000 are allowed"):
        await ctx.run_isolated(functions.list_of, 200_000, output_limit=200_000)


async def test_it_may_not_outgrow_its_memory(ctx: Context) -> None:
    assert await ctx.run_isolated(functions.allocating, 1 << 20, memory_limit="256MiB")
    with pytest.raises(ResourcesExceeded, match="more than 268,435,456 bytes of memory"):
        await ctx.run_isolated(functions.allocating, 1 << 28, memory_limit="256MiB")


async def test_it_may_not_take_more_processor_time_than_allowed(ctx: Context) -> None:
    with pytest.raises(ResourcesExceeded, match="more than 1 s of processor time"):
        await ctx.run_isolated(functions.computing, cpu_limit=timedelta(seconds=0.5))


@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        (functions.raising, ("key",), "KeyError: 'why'"),
        (functions.leaving, (3,), "its process ended with exit status 3"),
        (functions.killed, (11,), "its process was killed by SIGSEGV"),
        (functions.killed, (15,), "its process was killed by SIGTERM"),
        (functions.killed, (40,), "its process was killed by signal 40"),
        (functions.dying_loudly, (), "ended with exit status 4: the reason"),
        (functions.saving, (), "save_artifact was called in an isolated function"),
        (functions.back, (object,), "the function returned what is not JSON"),
    ],
)
async def test_a_function_that_breaks_says_why(
    ctx: Context, function: object, arguments: tuple, said: str
) -> None:
    with pytest.raises(FunctionFailed) as raised:
        await ctx.run_isolated(function, *arguments)
    assert said in str(raised.value)


async def test_an_error_that_is_expected_arrives_as_itself(ctx: Context) -> None:
    with pytest.raises(functions.Refused, match="why"):
        await ctx.run_isolated(functions.raising, "refused", raises=(functions.Refused,))
    with pytest.raises(FunctionFailed, match="Refused: why"):
        await ctx.run_isolated(functions.raising, "refused", raises=(KeyError,))


def frame(text: bytes, blob_size: int = 0) -> bytes:
    return struct.pack(">II", len(text), blob_size) + text


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 8,
        frame(b"no json"),
        frame(b"[]"),
        frame(b'{"kind":"save_artifact","id":1,"arguments":{"name":"a","content_type":"b"}}'),
        frame(b'{"kind":"progress","arguments":{"percent":"x","message":null}}'),
        frame(b'{"kind":"event","arguments":{"level":"exec","message":"m","data":{}}}'),
        frame(b'{"kind":"event","arguments":{"level":"info","message":"m","data":{"message":1}}}'),
        frame(b'{"kind":"end"}'),
        frame(b'{"kind":"end","raised":7,"message":"m"}'),
        frame(b'{"kind":"end","returned":"pickle","json":null}'),
    ],
)
async def test_a_process_that_was_taken_over_cannot_say_more_than_a_function(
    ctx: Context, recorder: Recorder, data: bytes
) -> None:
    with pytest.raises((FunctionFailed, ResourcesExceeded)):
        await ctx.run_isolated(functions.taken_over, data)
    assert (recorder.artifacts, recorder.logs) == ({}, [])


async def test_what_a_function_started_is_killed_when_it_returns(ctx: Context) -> None:
    started = await ctx.run_isolated(functions.starting)
    async with asyncio.timeout(10):
        while alive(started):
            await asyncio.sleep(0.01)


async def test_a_cancel_kills_the_process_before_it_goes_on(
    ctx: Context, recorder: Recorder
) -> None:
    task = asyncio.create_task(ctx.run_isolated(functions.waiting))
    async with asyncio.timeout(30):
        while not recorder.progress_calls:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()  # one who is asked twice
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(int(recorder.progress_calls[0][1]))


async def test_the_end_of_its_attempt_ends_a_function(
    ctx: Context, recorder: Recorder, pool: Pool
) -> None:
    task = asyncio.create_task(ctx.run_isolated(functions.waiting))
    async with asyncio.timeout(30):
        while not recorder.progress_calls:
            await asyncio.sleep(0.01)
    pool.cancel_functions(ctx.lease_id)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(int(recorder.progress_calls[0][1]))


async def test_calls_leave_no_process_and_no_descriptor_behind(ctx: Context) -> None:
    await ctx.run_isolated(functions.pid)
    before = psutil.Process().num_fds()
    (server,) = fork_servers()
    descriptors = server.num_fds()
    for _ in range(20):
        await ctx.run_isolated(functions.pid)
        with pytest.raises(FunctionFailed):
            await ctx.run_isolated(functions.leaving, 1)
    await asyncio.sleep(0)  # the ends of the last are closed by the loop
    assert psutil.Process().num_fds() <= before
    assert (server.num_fds(), server.children()) == (descriptors, [])


async def test_a_fork_server_that_is_killed_is_replaced(ctx: Context) -> None:
    await ctx.run_isolated(functions.pid)
    task = asyncio.create_task(ctx.run_isolated(functions.waiting))
    (server,) = fork_servers()
    while not server.children():
        await asyncio.sleep(0.01)
    server.kill()
    with pytest.raises(FunctionFailed, match="its process"):
        await task
    assert await ctx.run_isolated(functions.pid) != os.getpid()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda ctx: ctx.run_isolated(lambda _ctx: 1), "cannot send this call"),
        (lambda ctx: ctx.run_isolated(functions.back, lambda: 1), "cannot send this call"),
        (lambda ctx: ctx.run_isolated(asyncio.sleep), "pass a plain function of a module"),
        (lambda ctx: ctx.run_isolated("shop"), "run_isolated got 'shop'"),
        (lambda ctx: ctx.run_isolated(functions.pid, memory_limit="much"), "is 'much'"),
        (lambda ctx: ctx.run_isolated(functions.pid, cpu_limit=0), "cpu_limit cannot be 0"),
        (lambda ctx: ctx.run_isolated(functions.pid, cpu_limit="1"), "cpu_limit cannot be '1'"),
        (lambda ctx: ctx.run_isolated(functions.pid, file_limit=-1), "file_limit is -1"),
        (lambda ctx: ctx.run_isolated(functions.pid, output_limit="1GB"), "at most 67,108,864"),
    ],
)
async def test_a_call_that_cannot_be_right_is_refused(
    ctx: Context, call: object, said: str
) -> None:
    with pytest.raises(UsageError) as raised:
        await call(ctx)
    assert said in str(raised.value)
