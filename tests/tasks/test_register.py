"""Which types `register` puts on an app, and the demo types."""

import logging

import pytest
from pgqueue_worker import tasks
from pgqueue_worker.tasks.demo import SleepPayload, sleep

from tests.tasks.recording import RecordingContext


class RecordingApp:
    def __init__(self):
        self.types = {}

    def task(self, name, **options):
        def keep(handler):
            self.types[name] = (handler, options)
            return handler

        return keep


def test_all_types_are_registered_with_their_queue_and_limits():
    app = RecordingApp()
    tasks.register(app)
    assert set(app.types) == {"noop", "sleep", "data_aggregation", "pdf_report"}
    for name in ("data_aggregation", "pdf_report"):
        handler, options = app.types[name]
        assert handler.__name__ == name
        assert (options["queue"], options["max_attempts"], options["timeout"]) == (name, 3, 60)
    assert all(options["description"] for _, options in app.types.values())


def test_a_type_whose_engine_is_not_installed_is_named_with_the_cure(monkeypatch, caplog):
    monkeypatch.setattr(tasks, "find_spec", lambda name: None if name == "typst" else object())
    app = RecordingApp()
    with caplog.at_level(logging.WARNING):
        tasks.register(app)
    assert "pdf_report" not in app.types
    assert "data_aggregation" in app.types
    assert "pdf_report (needs typst)" in caplog.text
    assert "pip install 'pgqueue[tasks]'" in caplog.text


async def test_sleep_fails_the_first_attempts_and_then_completes():
    payload = SleepPayload(delay_ms=0, fail_times=2)
    for attempt in (1, 2):
        with pytest.raises(RuntimeError, match=f"attempt {attempt} fails as asked"):
            await sleep(RecordingContext(attempt=attempt), payload)
    ctx = RecordingContext(attempt=3)
    assert (await sleep(ctx, payload)).attempt == 3
    assert [percent for percent, _ in ctx.progress_calls] == list(range(10, 101, 10))
