"""Steps and checkpoints by themselves: a context whose reporter remembers in a dictionary."""

import asyncio

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pgqueue import Context, UsageError, telemetry


class Memory:
    """The reporter of a task that may be attempted again."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.refuses = False

    async def save_checkpoint(self, context: Context, name: str, data: bytes) -> None:
        if self.refuses:
            raise ConnectionError
        self.kept[name] = data

    def attempt(self) -> Context:
        return Context(
            task_id="0198c0de-0000-7000-8000-000000000001",
            lease_id=1,
            attempt=1,
            max_attempts=3,
            type="any",
            queue="any",
            reporter=self,
            remembered=dict(self.kept),
        )


async def test_a_step_gives_the_same_in_the_first_attempt_and_later_ones() -> None:
    memory = Memory()
    first = await memory.attempt().step("pair", lambda: (1, {"a": None}))
    later = await memory.attempt().step("pair", pytest.fail)
    assert first == later == [1, {"a": None}]


async def test_what_a_step_gave_is_the_callers_own_to_change() -> None:
    context = Memory().attempt()
    (await context.step("list", list)).append(1)
    assert await context.step("list", list) == []
    await context.checkpoint([])
    context.last_checkpoint.append(1)
    assert context.last_checkpoint == []


async def test_a_step_that_could_not_be_saved_is_not_remembered() -> None:
    memory = Memory()
    context = memory.attempt()

    memory.refuses = True
    with pytest.raises(ConnectionError):
        await context.step("n", int)
    memory.refuses = False
    assert await context.step("n", int) == 0


async def test_a_name_is_free_again_after_its_step_failed_or_was_cancelled() -> None:
    context = Memory().attempt()
    with pytest.raises(ZeroDivisionError):
        await context.step("n", lambda: 1 // 0)
    hanging = asyncio.create_task(context.step("n", asyncio.sleep, 3600))
    await asyncio.sleep(0)
    with pytest.raises(UsageError, match="already running"):
        await context.step("n", int)
    hanging.cancel()
    await asyncio.wait({hanging})
    assert await context.step("n", int) == 0


async def test_a_step_has_a_span_when_it_runs_and_none_when_it_is_remembered() -> None:
    exporter = InMemorySpanExporter()
    telemetry.configure("test", exporter=exporter)
    try:
        context = Memory().attempt()
        await context.step("charge", int)
        await context.step("charge", int)
        with pytest.raises(ZeroDivisionError):
            await context.step("fail", lambda: 1 // 0)
    finally:
        telemetry.shutdown()
    assert [span.name for span in exporter.get_finished_spans()] == ["step charge", "step fail"]
    assert exporter.get_finished_spans()[1].status.description


def test_outside_a_loop_a_step_gives_its_result_itself() -> None:
    class Blocking(Memory):
        def save_checkpoint(self, context: Context, name: str, data: bytes) -> None:
            self.kept[name] = data

    async def asynchronous() -> int:
        return 2

    memory = Blocking()
    context = memory.attempt()
    assert (context.step("a", int), context.step("b", asynchronous)) == (0, 2)
    context.checkpoint({"n": 1})
    assert memory.attempt().last_checkpoint == context.last_checkpoint == {"n": 1}
