"""A caller's trace travels with the task; spans cost nothing when off."""

from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pgqueue import telemetry
from pgqueue.errors import UsageError
from tests.api.conftest import submit
from tests.api.worker import Worker

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    telemetry.configure("test", exporter=exporter)
    yield exporter
    telemetry.shutdown()


async def stored(client: httpx.AsyncClient, worker: Worker, **headers: str) -> str | None:
    answer = await client.post("/v1/tasks", json={"type": "noop"}, headers=headers)
    return worker.value(
        "select traceparent from pgqueue_private.task where id = %s", answer.json()["id"]
    )


async def test_without_tracing_a_callers_trace_travels_on(
    client: httpx.AsyncClient, worker: Worker
):
    assert not telemetry.enabled()
    assert await stored(client, worker, traceparent=TRACEPARENT) == TRACEPARENT
    assert await stored(client, worker) is None


@pytest.mark.parametrize(
    "garbage",
    [
        "x",
        "00-" + "0" * 32 + f"-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        TRACEPARENT.upper(),
    ],
)
async def test_what_is_no_traceparent_is_dropped(
    client: httpx.AsyncClient, worker: Worker, garbage
):
    assert await stored(client, worker, traceparent=garbage) is None


async def test_a_submit_is_a_span_of_the_callers_trace_and_the_task_carries_it(
    client: httpx.AsyncClient, worker: Worker, spans: InMemorySpanExporter
):
    carried = await stored(client, worker, traceparent=TRACEPARENT)
    [span] = spans.get_finished_spans()
    assert (span.name, span.kind.name) == ("submit", "PRODUCER")
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT
    assert span.attributes["pgqueue.type"] == "noop"
    assert carried == f"00-{TRACE}-{span.context.span_id:016x}-01"


async def test_the_tasks_of_a_bulk_share_its_span(
    client: httpx.AsyncClient, worker: Worker, spans: InMemorySpanExporter
):
    await client.post("/v1/tasks/bulk", json={"tasks": [{"type": "noop"}] * 3})
    [span] = spans.get_finished_spans()
    carried = worker.rows("select distinct traceparent from pgqueue_private.task")
    assert [row["traceparent"][36:52] for row in carried] == [f"{span.context.span_id:016x}"]


async def test_a_refused_submit_is_a_failed_span(
    client: httpx.AsyncClient, spans: InMemorySpanExporter
):
    await client.post("/v1/tasks", json={"type": "sleep", "payload": {}})
    [span] = spans.get_finished_spans()
    assert span.status.status_code.name == "ERROR"


def test_a_span_links_to_other_traces_and_may_have_started_earlier(spans: InMemorySpanExporter):
    with telemetry.span_from(
        None, "flush", {"n": 2}, links=[TRACEPARENT, None, "x"], start_ns=1_000
    ) as span:
        assert telemetry.current_traceparent() == span.traceparent
        span.set("n", 3)
    [seen] = spans.get_finished_spans()
    assert [f"{link.context.trace_id:032x}" for link in seen.links] == [TRACE]
    assert (seen.start_time, seen.attributes["n"]) == (1_000, 3)


def test_when_off_a_span_carries_its_parent_on_and_does_nothing():
    with telemetry.span_from(TRACEPARENT, "run", {"n": 1}) as span:
        span.set("n", 2)
        span.fail("nobody hears")
    assert span.traceparent == TRACEPARENT
    assert telemetry.current_traceparent() is None


def test_the_standard_variables_turn_tracing_on_and_off(monkeypatch: pytest.MonkeyPatch):
    assert not telemetry.configure("test")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    assert not telemetry.configure("test")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "false")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert not telemetry.configure("test")


def test_an_endpoint_without_its_exporter_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(
        __import__("sys").modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None
    )
    with pytest.raises(UsageError) as raised:
        telemetry.configure("test")
    assert "pgqueue[otlp]" in raised.value.hint
    assert not telemetry.enabled()


async def test_tracing_off_imports_nothing_of_opentelemetry():
    import subprocess
    import sys

    code = (
        "import sys; from pgqueue import telemetry; telemetry.configure('x'); "
        "print([m for m in sys.modules if m.startswith('opentelemetry')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


async def test_a_submit_works_while_spans_are_recorded(
    client: httpx.AsyncClient, spans: InMemorySpanExporter
):
    for _ in range(3):
        await submit(client)
    assert len(spans.get_finished_spans()) == 3
