"""What is seen from outside: one trace a task, metrics, structured logs."""

import asyncio
import re
import socket
import urllib.request

import orjson
import psutil
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pgqueue_worker.control import Control, Drain, Start
from pgqueue_worker.deadline_table import DeadlineTable
from pgqueue_worker.isolation.pool import Pool
from pgqueue_worker.measurements import Snapshot
from pgqueue_worker.supervisor.metrics import Metrics
from pgqueue_worker.worker_process import WorkerProcess

from pgqueue import Context, PgQueue, telemetry
from pgqueue.database.link import Link
from pgqueue.database.options import Options
from tests.processes import free_port
from tests.worker.conftest import Bench, eventually


@pytest.fixture
def spans() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    telemetry.configure("test", exporter=exporter)
    yield exporter
    telemetry.shutdown()


async def work(app: PgQueue, dsn: str, until: asyncio.Event) -> None:
    """Run a worker process's loops in this one."""
    link = Link(dsn, Options("test"))
    registration = {
        "supervisor": "test",
        "host": "test",
        "pid": 1,
        "version": "0",
        "queues": [],
        "types": [],
        "concurrency": 5,
        "lease_s": 60.0,
    }
    ((worker_id,),) = await link.rows("register_worker", registration)
    await link.close()
    ours, theirs = socket.socketpair()
    supervisor, control = await Control.over(ours), await Control.over(theirs)
    table = DeadlineTable.create(5)
    start = Start(
        dsn=dsn,
        queues=[],
        concurrency=5,
        poll_s=0.1,
        lease_s=60.0,
        grace_s=5,
        stop_grace_s=1,
        deadlines=table.descriptor,
    )
    pool = Pool(None, builtin=False, dsn=dsn, grace_s=1)
    running = asyncio.create_task(WorkerProcess(control, start, worker_id, app, pool).run())
    await until.wait()
    supervisor.send(Drain())
    assert await running == 0
    supervisor.close()
    control.close()
    table.close()


async def test_submit_claim_run_and_finish_are_one_trace(
    database: str, spans: InMemorySpanExporter
) -> None:
    done = asyncio.Event()
    async with PgQueue(database) as app:

        @app.task("traced")
        async def traced(ctx: Context, payload: dict) -> None:
            with telemetry.span_from(None, "inside"):
                done.set()

        with telemetry.span_from(None, "submit") as submit:
            task = await app.enqueue("traced", {})
        stored = await app.get(task)
        await work(app, database, done)
    finished = {span.name: span for span in spans.get_finished_spans()}
    assert set(finished) >= {"submit", "claim traced", "run traced", "inside", "finish traced"}
    assert len({span.context.trace_id for span in finished.values()}) == 1
    assert trace.format_trace_id(finished["submit"].context.trace_id) in submit.traceparent
    assert finished["claim traced"].parent.span_id == finished["submit"].context.span_id
    assert finished["run traced"].parent.span_id == finished["claim traced"].context.span_id
    assert finished["inside"].parent.span_id == finished["run traced"].context.span_id
    assert finished["finish traced"].parent.span_id == finished["run traced"].context.span_id
    assert finished["run traced"].attributes["pgqueue.task_id"] == stored.id
    assert finished["run traced"].attributes["pgqueue.outcome"] == "completed"


async def test_without_an_exporter_nothing_is_recorded_and_no_header_is_stored(
    database: str, connect
) -> None:
    async with PgQueue(database) as app:
        await app.enqueue("untraced", {})
    assert connect().execute("select traceparent from pgqueue.tasks").fetchall() == [(None,)]


def metrics(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=45) as answer:
        lines = answer.read().decode().splitlines()
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    }


def test_the_supervisor_serves_metrics_of_all_its_processes(bench: Bench) -> None:
    port = free_port()
    bench.start("--processes", "2", "--metrics-port", str(port))
    done = bench.enqueue_many([{"type": "echo"}] * 50)
    failed = bench.enqueue("final")
    bench.enqueue("echo", run_at="2999-01-01")
    for task in (*done, failed):
        bench.ended(task)
    count = 'pgqueue_attempts_finished_total{outcome="%s",queue="default",type="%s"}'
    eventually(lambda: metrics(port).get(count % ("completed", "echo")) == 50, "all are counted")
    eventually(lambda: metrics(port).get(count % ("failed", "final")) == 1, "the failure too")
    scheduled = 'pgqueue_tasks{queue="default",status="scheduled"}'
    eventually(lambda: metrics(port).get(scheduled) == 1, "the depth is sampled")
    seen = metrics(port)
    assert seen['pgqueue_attempts_started_total{queue="default"}'] == 51
    assert seen['pgqueue_wait_seconds_count{queue="default",type="echo"}'] == 50
    assert seen['pgqueue_run_seconds_count{queue="default",type="echo"}'] == 50
    assert seen['pgqueue_run_seconds_bucket{le="+Inf",queue="default",type="echo"}'] == 50
    assert seen["pgqueue_flush_size_sum"] == 51
    assert seen["pgqueue_claims_total"] >= 1
    assert seen["pgqueue_leases_lost_total"] == 0
    (listening,) = [
        connection.laddr.ip
        for connection in psutil.Process(bench.workers[0].pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == "127.0.0.1"


def test_a_worker_logs_no_more_lines_of_an_attempt_than_are_kept(bench: Bench) -> None:
    bench.start()
    task = bench.enqueue("talkative", {"lines": 10_500})
    assert bench.ended(task)["status"] == "completed"
    lines = [line for line in map(orjson.loads, bench.logs().splitlines()) if "message" in line]
    assert len(lines) == 10_000
    assert lines[-2]["data"] == {"n": 9998}
    assert "more is logged than the 10,000 lines" in lines[-1]["message"]
    stored = bench.rows("select message from pgqueue.events where type = 'log' order by seq")
    assert len(stored) == 10_000
    assert "more is logged than the 10,000" in stored[-1]["message"]


def test_logs_are_json_and_name_task_type_attempt_and_worker(bench: Bench) -> None:
    bench.start()
    task = bench.enqueue("final")
    bench.ended(task)
    lines = [orjson.loads(line) for line in bench.logs().splitlines()]
    (failed,) = [line for line in lines if line["event"] == "task_failed"]
    assert failed["task_id"] == task
    assert (failed["type"], failed["attempt"], failed["level"]) == ("final", 1, "warning")
    assert re.fullmatch(r".+:\d+", failed["worker"])
    assert failed["error"] == "KeyError: 'never again'"
    assert "in final\n    raise KeyError" in failed["exception"]
    assert bench.logs().count("raise KeyError") == 1


def test_a_released_attempt_is_logged_with_its_reason(bench: Bench) -> None:
    port = free_port()
    worker = bench.start("--metrics-port", str(port), PGQUEUE_GRACE_S="0")
    bench.enqueue("gate", {"name": "r"})
    bench.passed("r-in-1")
    bench.ended(bench.enqueue("echo"))
    count = 'pgqueue_attempts_finished_total{outcome="%s",queue="default",type="%s"}'
    eventually(lambda: metrics(port).get(count % ("completed", "echo")) == 1, "the other counts")
    bench.stop(worker)
    lines = [orjson.loads(line) for line in bench.logs().splitlines()]
    reasons = {line["type"]: line["reason"] for line in lines if line["event"] == "task_released"}
    assert reasons == {"gate": "its worker stopped"}


def test_counters_name_the_first_queues_and_sum_up_the_others() -> None:
    metrics = Metrics()
    for n in range(1000):
        taken = Snapshot([(("started", f"q{n}"), 1)], [])
        metrics.merge(taken)
        metrics.merge(taken)
    (started,) = [family for family in metrics.collect() if "started" in family.name]
    counted = {sample.labels["queue"]: sample.value for sample in started.samples}
    assert len(counted) == 201
    assert (counted["q0"], counted["(others)"]) == (2, 1600)
