"""/readyz of a supervisor: ready only while tasks can start, and nothing is missed or risked."""

import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import psycopg
import pytest
from pgqueue_worker.deadline_table import DeadlineTable
from pgqueue_worker.supervisor.readiness import Readiness
from psycopg.conninfo import conninfo_to_dict

from pgqueue.database.migrations import code_version
from pgqueue.embedded import EmbeddedServer
from tests.chaos.proxy import proxied
from tests.processes import free_port
from tests.worker.conftest import Bench, eventually


class Probe:
    """Asks a supervisor's port as an orchestrator does."""

    def __init__(self) -> None:
        self.port = free_port()

    def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}{path}", timeout=45
            ) as answer:
                return answer.status, orjson.loads(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, orjson.loads(refused.read())
        except OSError:
            return 0, {}

    def becomes(self, status: str, detail: str = "", **others: Any) -> dict[str, Any]:
        """Wait for an answer."""

        def found() -> dict[str, Any] | None:
            code, said = self.ask("/readyz")
            wanted = {"status": status, **others}
            if wanted != {name: said.get(name) for name in wanted}:
                return None
            if detail not in said.get("detail", ""):
                return None
            assert code == (503 if status == "not_ready" else 200)
            return said

        return eventually(found, f"{status}: {detail} {others}; it said {self.ask('/readyz')}")


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
def supervisor(bench: Bench, probe: Probe) -> Iterator[int]:
    """A supervisor that is ready; gives its process id. The server of the tests is unsafe."""
    worker = bench.start("--metrics-port", str(probe.port))
    probe.becomes("degraded")
    yield worker.pid
    worker.kill()


def test_a_supervisor_is_ready_until_it_drains(bench: Bench, probe: Probe, supervisor: int) -> None:
    assert probe.ask("/readyz") == (
        200,
        {"status": "degraded", "schema": code_version(), "unsafe": ["fsync", "full_page_writes"]},
    )
    bench.enqueue("gate", {"name": "r"})
    bench.passed("r-in-1")
    os.kill(supervisor, signal.SIGTERM)
    probe.becomes("not_ready", "draining")
    assert probe.ask("/healthz") == (200, {"status": "alive"})
    bench.open("r-out")
    assert bench.workers[0].wait(45) == 0


def test_settings_that_may_lose_data_are_named_and_an_outage_is_not_ready_but_alive(
    private_server: EmbeddedServer, tmp_path: Path, probe: Probe
) -> None:
    bench = Bench(private_server.dsn(), tmp_path)
    try:
        bench.start("--metrics-port", str(probe.port))
        assert "unsafe" not in probe.becomes("ready", schema=code_version())
        bench.rows("alter system set synchronous_commit = off")
        bench.rows("alter system set full_page_writes = off")
        bench.rows("select pg_reload_conf()")
        degraded = probe.becomes("degraded")
        assert degraded["unsafe"] == ["full_page_writes", "synchronous_commit"]
        private_server.stop()
        probe.becomes("not_ready")
        assert probe.ask("/healthz") == (200, {"status": "alive"})
        private_server.start()
        probe.becomes("degraded")
    finally:
        bench.close()


def test_a_listener_that_cannot_connect_is_not_ready_until_it_can(
    bench: Bench, probe: Probe, supervisor: int, template: str, server
) -> None:
    name = conninfo_to_dict(bench.dsn)["dbname"]
    with psycopg.connect(server.admin, autocommit=True) as admin:
        admin.execute(f'alter database "{name}" allow_connections false')
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = %s and application_name = 'pgqueue listen'",
            (name,),
        )
        probe.becomes("not_ready", "the listener is not connected")
        admin.execute(f'alter database "{name}" allow_connections true')
    probe.becomes("degraded")


@pytest.mark.unpooled("the session that listens goes past poolers, here by way of a proxy")
def test_a_listener_that_is_connected_and_hears_nothing_is_not_ready(
    bench: Bench, probe: Probe
) -> None:
    with proxied(bench.dsn) as proxy:
        bench.start("--metrics-port", str(probe.port), PGQUEUE_LISTEN_URL=proxy.dsn)
        probe.becomes("degraded")
        proxy.drop_notifications()
        assert proxy.connections("pgqueue listen") == 1
        said = probe.becomes("not_ready", "hears nothing")
        assert "PGQUEUE_LISTEN_URL" in said["detail"]
        proxy.heal()
        probe.becomes("degraded")
        bench.workers[0].kill()
        bench.workers[0].wait()


def test_a_claim_loop_that_stands_still_is_not_ready_whatever_holds_it(
    bench: Bench, probe: Probe, supervisor: int
) -> None:
    (pid,) = bench.processes()
    with psycopg.connect(bench.dsn) as holder:
        holder.execute("lock table pgqueue_private.ready in access exclusive mode")
        said = probe.becomes("not_ready", "the claim loop of worker")
        assert f"(pid {pid})" in said["detail"]
        assert probe.ask("/healthz")[0] == 200
    probe.becomes("degraded")
    os.kill(pid, signal.SIGSTOP)
    probe.becomes("not_ready", "the claim loop of worker")
    os.kill(pid, signal.SIGCONT)
    probe.becomes("degraded")


@pytest.mark.parametrize("way", ["it needs later code", "it was taken back"])
def test_a_schema_that_does_not_fit_is_not_ready(
    bench: Bench, probe: Probe, supervisor: int, way: str
) -> None:
    mine = code_version()
    bench.enqueue("gate", {"name": "s"})
    bench.passed("s-in-1")
    future = (
        "insert into pgqueue_private.migration (version, name, min_code) values (%s, 'future', %s)"
    )
    bench.rows(future, mine + 1, mine)
    bench.rows("update pgqueue_private.code set version = %s", mine + 1)
    probe.becomes("degraded", schema=mine + 1)  # newer, and it still serves this code
    if way == "it needs later code":
        bench.rows(future, mine + 2, mine + 1)
        probe.becomes("not_ready", f"needs code of version {mine + 1} or later")
    else:
        bench.rows("delete from pgqueue_private.migration where version >= %s", mine)
        probe.becomes("not_ready", f"this code needs {mine}")
    bench.open("s-out")
    assert bench.workers[0].wait(45) != 0


class _Found:
    """A Readiness that has looked at a process and a listener of these tests."""

    def __init__(self, poll_s: float = 1) -> None:
        self.deadlines = DeadlineTable.create(1)
        self.process = SimpleNamespace(worker_id=7, pid=1, deadlines=self.deadlines, retiring=False)
        self.processes = [self.process]
        self.bell = SimpleNamespace(deaf=None)
        self.readiness = Readiness(self.processes, self.bell, None, on_unfit=None, poll_s=poll_s)
        self.readiness._database = {"status": "ready", "schema": 1}

    def look(self) -> str:
        return self.readiness._look()["status"]


def test_a_claim_loop_may_be_still_for_five_seconds_or_three_polls() -> None:
    for poll_s, may in ((1, 5), (10, 30)):
        found = _Found(poll_s)
        found.deadlines.came_round(time.monotonic() - may + 1)
        assert found.look() == "ready"
        found.deadlines.came_round(time.monotonic() - may - 1)
        assert found.look() == "not_ready"


def test_a_claim_loop_that_has_no_reason_to_come_round_is_not_missed() -> None:
    found = _Found()
    found.deadlines.came_round(time.monotonic() - 100)
    found.deadlines.came_round(None)  # all slots are taken
    assert found.look() == "ready"
    found.deadlines.came_round(time.monotonic() - 100)
    found.process.retiring = True
    assert found.look() == "ready"


def test_a_process_that_has_not_registered_runs_nothing() -> None:
    found = _Found()
    found.process.worker_id = None
    assert found.look() == "not_ready"
    found.processes.clear()
    assert found.look() == "not_ready"


def test_a_supervisor_that_stands_still_itself_is_not_ready() -> None:
    readiness = _Found().readiness
    assert readiness.report()["status"] == "not_ready"  # it is starting
    readiness._found = (time.monotonic(), {"status": "ready", "schema": 1})
    assert readiness.report()["status"] == "ready"
    readiness._found = (time.monotonic() - 60, {"status": "ready", "schema": 1})
    assert "stood still for 60 s" in readiness.report()["detail"]


def test_what_holds_tasks_back_is_told_by_a_supervisor(bench: Bench, probe: Probe) -> None:
    waiting = bench.enqueue("of_another_app")
    bench.rows(
        "update pgqueue_private.ready set ready_at = ready_at - interval '1 hour'"
        " where task_id = %s",
        waiting,
    )
    worker = bench.start("--metrics-port", str(probe.port))
    (held,) = eventually(lambda: probe.ask("/readyz")[1].get("waiting"), "it says what waits")
    assert held["task_id"] == waiting
    assert held["code"] in {"no_handler", "no_worker"}  # the latter until the worker registers
    bench.stop(worker)
