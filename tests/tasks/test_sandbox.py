"""The processes in which engines run a user's input."""

import asyncio
import os
import signal

import psutil
import pytest
from pgqueue_tasks._aggregation.models import AggregationPayload
from pgqueue_tasks._sandbox import sandboxed
from pgqueue_tasks.data_aggregation import data_aggregation
from pgqueue_tasks.errors import EngineFailed, InputRefused

from pgqueue import FunctionFailed, ResourcesExceeded
from tests.tasks.recording import RecordingContext, engines

ENDLESS = AggregationPayload.model_validate(
    {"rows": [{"a": 1}], "sql": "select sum(i) from range(1000000000000) t(i)"}
)


@pytest.mark.parametrize(
    ("raised", "arrives"),
    [(ResourcesExceeded, InputRefused), (FunctionFailed, EngineFailed)],
)
async def test_an_engine_ends_with_the_errors_of_the_built_in_types(raised, arrives, monkeypatch):
    ctx = RecordingContext()

    async def run_isolated(*arguments):
        raise raised("why")

    monkeypatch.setattr(ctx.recorder, "run_isolated", run_isolated)
    with pytest.raises(arrives, match="why"):
        await sandboxed(
            ctx, "_hooks.mapping:map_fields", {}, {}, memory_limit="256MiB", cpu_limit=5
        )


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
    [child] = engines()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not psutil.pid_exists(child.pid)


async def test_a_child_killed_from_outside_does_not_hang_the_task():
    ctx = Started(asyncio.get_running_loop())
    task = asyncio.create_task(data_aggregation(ctx, ENDLESS))
    await ctx.begun.wait()
    [child] = engines()
    os.kill(child.pid, signal.SIGTERM)
    with pytest.raises(EngineFailed, match="killed by SIGTERM"):
        await task
