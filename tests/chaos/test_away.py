"""PostgreSQL is not there yet, or has no connection to spare: everyone waits, and nobody dies."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from pgqueue.database.migrations import migrate
from pgqueue.embedded import EmbeddedServer
from tests.chaos.crashing import check_sound, seconds
from tests.chaos.service import Service
from tests.figures import Figure
from tests.servers import FAST, own_server
from tests.worker.conftest import Bench, eventually

ROW = "PostgreSQL away, or without a connection to spare"


@pytest.fixture
def small_server(
    tmp_path_factory: pytest.TempPathFactory, postgres_major: str
) -> Iterator[EmbeddedServer]:
    """A server of a few connections."""
    settings = {**FAST, "max_connections": "40"}
    with own_server(tmp_path_factory.mktemp("small"), postgres_major, settings) as server:
        migrate(server.dsn())
        yield server


def is_refusal(answer: httpx.Response, code: str) -> bool:
    """Say whether an answer asks to come again."""
    return (
        answer.status_code == 503
        and answer.json()["code"] == code
        and int(answer.headers["retry-after"]) > 0
    )


def all_connections(dsn: str) -> list[psycopg.Connection]:
    """Take every connection that a server has to give."""
    taken: list[psycopg.Connection] = []
    with suppress(psycopg.OperationalError):
        while True:
            taken.append(psycopg.connect(dsn))
    return taken


@pytest.mark.timeout(180)
def test_api_and_worker_that_start_before_postgresql_wait_for_it(
    small_server: EmbeddedServer, tmp_path: Path, figure: Figure
) -> None:
    with ExitStack() as stack:
        bench = Bench(small_server.dsn(), tmp_path)
        stack.callback(bench.close)
        small_server.stop()
        worker = bench.start(wait=False)
        api = stack.enter_context(Service(bench.dsn, tmp_path / "api.log"))
        assert is_refusal(api.http.get("/readyz"), "database_unavailable")
        assert is_refusal(api.submit(), "database_unavailable")
        eventually(lambda: "database_unavailable" in bench.logs(), "the worker waits")
        small_server.start()
        bench.reconnect()
        ready_s = seconds(api.is_ready, "the API is ready")
        task = eventually(lambda: api.submit().json().get("id"), "a task is accepted")
        assert bench.ended(task)["status"] == "completed"
        assert worker.poll() is None
        assert "Traceback" not in bench.logs() + api.said()
        check_sound(bench.dsn)
    figure(ROW, f"started first, the API was ready {ready_s:.1f} s after PostgreSQL", "no restart")


@pytest.mark.timeout(180)
def test_without_a_connection_to_spare_the_api_says_503_and_the_worker_goes_on(
    small_server: EmbeddedServer, tmp_path: Path, figure: Figure
) -> None:
    with ExitStack() as stack:
        bench = Bench(small_server.dsn(), tmp_path)
        stack.callback(bench.close)
        bench.start()
        waiting = bench.ended(bench.enqueue("echo"))
        assert waiting["status"] == "completed"
        processes = bench.processes()
        taken = all_connections(bench.dsn)
        api = stack.enter_context(Service(bench.dsn, tmp_path / "api.log"))
        assert is_refusal(api.submit(), "database_unavailable")
        assert is_refusal(api.http.get("/v1/tasks"), "database_unavailable")
        assert bench.ended(bench.enqueue("echo"))["status"] == "completed"
        for connection in taken:
            connection.close()
        accepted_s = seconds(lambda: api.submit().status_code == 201, "tasks are accepted")
        assert bench.processes() == processes
        assert "Traceback" not in bench.logs() + api.said()
        eventually(
            lambda: bench.value("select count(*) from pgqueue_private.running") == 0, "it drains"
        )
        check_sound(bench.dsn)
    figure(
        ROW,
        f"none to spare: 503, the worker goes on; accepted {accepted_s:.1f} s after some were free",
        "503, resumes by itself",
    )


@pytest.mark.timeout(180)
def test_who_waits_for_a_key_with_all_its_connections_holds_up_nobody_else(
    small_server: EmbeddedServer, tmp_path: Path, figure: Figure
) -> None:
    with ExitStack() as stack:
        bench = Bench(small_server.dsn(), tmp_path)
        stack.callback(bench.close)
        bench.start()
        api = stack.enter_context(Service(bench.dsn, tmp_path / "api.log"))
        eventually(api.is_ready, "the API is ready")
        holder = stack.enter_context(psycopg.connect(bench.dsn))
        holder.execute('select pgqueue.enqueue_unique(\'[{"type": "echo", "dedup_key": "k"}]\')')
        threads = stack.enter_context(ThreadPoolExecutor(12))
        keyed = [threads.submit(api.submit, dedup_key="k") for _ in range(12)]
        waiters = (
            "select count(*) = 4 from pg_stat_activity"
            " where application_name = 'pgqueue api keyed' and wait_event_type = 'Lock'"
        )
        eventually(lambda: bench.value(waiters), "all connections for keys wait")
        plain_s = max(seconds(lambda: api.submit().status_code == 201, "s") for _ in range(5))
        assert api.http.get("/v1/tasks").status_code == 200
        assert api.is_ready()
        answers = [waiter.result(60) for waiter in keyed]
        assert all(is_refusal(answer, "database_busy") for answer in answers)
        holder.commit()
        assert api.submit(dedup_key="k").json()["deduplicated"] is True
        eventually(
            lambda: bench.value("select count(*) from pgqueue_private.running") == 0, "it drains"
        )
        check_sound(bench.dsn)
    figure(
        ROW,
        f"all connections for keys wait: 503 database_busy to those, others within {plain_s:.2f} s",
        "503; others are not held up",
    )
