"""Which types `register` puts on an app, and the demo types."""

import ast
import asyncio
import importlib
import logging
import sys
from pathlib import Path

import pgqueue_tasks
import pytest
from pgqueue_tasks.demo import SleepPayload, sleep
from pgqueue_tasks.errors import EngineFailed, InputRefused

from pgqueue import Context, NotFound, PgQueue, Snooze
from tests.tasks.recording import RecordingContext

ALIASES = {
    "send_email": "email_campaign",
    "generate_pdf": "pdf_report",
    "resize_image": "image_gen",
}
BUILT = {  # concurrency, a minute, attempts, timeout
    "data_aggregation": (1, 5, 3, 300),
    "email_campaign": (5, 50, 5, 600),
    "pdf_report": (3, 10, 3, 60),
    "webhook_processing": (10, 100, 5, 60),
    "text_gen": (10, 20, 3, 300),
    "image_gen": (5, 10, 3, 300),
    "research_agent": (3, 5, 2, 600),
}


def test_all_types_are_registered_with_their_queues_and_limits():
    app = PgQueue()
    pgqueue_tasks.register(app)
    assert set(app.types) == {"noop", "sleep", *BUILT, *ALIASES}
    for alias, name in ALIASES.items():
        assert (app.types[alias].queue, app.types[alias].handler) == (name, app.types[name].handler)
    for name, (concurrency, per_minute, attempts, timeout_s) in BUILT.items():
        kind = app.types[name]
        assert (kind.queue, kind.max_attempts, kind.timeout_s) == (name, None, timeout_s)
        assert kind.queue_settings == {
            "concurrency": concurrency,
            "rate": [{"count": per_minute, "per_seconds": 60}],
            "max_attempts": attempts,
        }
        assert {InputRefused, NotFound} <= set(kind.no_retry)
        assert EngineFailed not in kind.no_retry
    for name in ("noop", "sleep"):  # for load tests: no limits
        assert (app.types[name].queue, app.types[name].queue_settings) == ("default", None)


def test_the_published_schemas_are_closed_and_describe_their_keys():
    app = PgQueue()
    pgqueue_tasks.register(app)
    for name in BUILT:
        published = app.types[name].published()
        for schema in (published["payload_schema"], published["result_schema"]):
            assert schema["additionalProperties"] is False
        described = list(published["payload_schema"]["properties"].values())
        assert sum("description" in p for p in described) >= len(described) - 2


def test_a_type_whose_engine_is_not_installed_is_named_with_the_cure(monkeypatch, caplog):
    monkeypatch.setattr(
        pgqueue_tasks, "find_spec", lambda name: None if name == "typst" else object()
    )
    app = PgQueue()
    with caplog.at_level(logging.WARNING):
        pgqueue_tasks.register(app)
    assert "pdf_report" not in app.types
    assert "data_aggregation" in app.types
    assert "pdf_report (needs typst)" in caplog.text
    assert "pip install 'pgqueue[tasks]'" in caplog.text


class Gate:
    """A handler that ends when it is let through."""

    def __init__(self):
        self.running, self.open = 0, asyncio.Event()

    async def __call__(self, ctx: Context, payload: dict[str, int]) -> str:
        self.running += 1
        await self.open.wait()
        self.running -= 1
        return "done"


@pytest.mark.parametrize("name", BUILT)
async def test_a_type_runs_as_few_at_once_in_any_other_queue_as_in_its_own(name, monkeypatch):
    gate, most = Gate(), BUILT[name][0]
    monkeypatch.setattr(importlib.import_module(f"pgqueue_tasks.{name}"), name, gate)
    app = PgQueue()
    pgqueue_tasks.register(app)
    names = [name, *(alias for alias, of in ALIASES.items() if of == name)]
    calls = []
    for n in range(most + 3):  # whichever name and queue, they count together
        kind = app.types[names[n % len(names)]]
        ctx = RecordingContext(queue=f"other-{n % 2}")
        calls.append(asyncio.create_task(kind.call(ctx, {})))
    own = (app.types[name].call(RecordingContext(queue=name), {}) for _ in range(3))
    calls += map(asyncio.create_task, own)
    turned_away = [await call for call in calls[most : most + 3]]
    assert gate.running == most + 3  # its own queue has settings of its own
    assert all(isinstance(outcome, Snooze) for outcome in turned_away)
    assert all(1 < outcome.until < 10 for outcome in turned_away)
    gate.open.set()
    assert await asyncio.gather(*calls[:most], *calls[most + 3 :]) == ["done"] * (most + 3)
    again = RecordingContext(queue="other")
    assert await app.types[name].call(again, {}) == "done"


def imported(tree):
    """The top-level packages that a module imports, at once or when it needs them."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
            case ast.Call(func=ast.Name("import_module"), args=[ast.Constant(str(module))]):
                yield module.partition(".")[0]


def test_a_type_is_registered_only_if_every_package_that_it_may_import_is_there():
    always = {*sys.stdlib_module_names, "pgqueue", "pgqueue_tasks", "pgqueue_worker"}
    always |= {"pydantic", "pydantic_settings"}  # of pgqueue itself
    with_another = {"httpx2"}  # of openai
    for folder, types in {
        "_aggregation": ["data_aggregation"],
        "_email": ["email_campaign"],
        "_report": ["pdf_report"],
        "_text": ["text_gen"],
        "_image": ["image_gen"],
        "_hooks": ["webhook_processing"],
        "_research": ["research_agent"],
        "_models": ["text_gen", "image_gen", "research_agent"],
    }.items():
        modules = Path(pgqueue_tasks.__file__).parent.joinpath(folder).glob("*.py")
        found = {name for module in modules for name in imported(ast.parse(module.read_text()))}
        for name in types:
            needed = found - always - with_another
            assert needed <= set(pgqueue_tasks._BUILT[name].packages), name


async def test_sleep_fails_the_first_attempts_and_then_completes():
    payload = SleepPayload(delay_ms=0, fail_times=2)
    for attempt in (1, 2):
        with pytest.raises(RuntimeError, match=f"attempt {attempt} fails as requested"):
            await sleep(RecordingContext(attempt=attempt), payload)
    ctx = RecordingContext(attempt=3)
    assert (await sleep(ctx, payload)).attempt == 3
    assert [percent for percent, _ in ctx.progress_calls] == list(range(10, 101, 10))
