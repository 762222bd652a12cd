"""Disk full: clients hear of it, what was acknowledged is kept, and all goes on when there is room.

Two disks fill up differently. Without room for its tables PostgreSQL refuses the statement (53100).
Without room for its log it ends itself rather than acknowledge anything; if it cannot even recover
it stays down, and whoever minds it, here the test, starts it when there is room.
"""

import secrets
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from pgqueue.database.migrations import migrate
from pgqueue.embedded import EmbeddedServer
from tests.chaos.crashing import check_sound, seconds
from tests.chaos.load import check_load, completed, load
from tests.chaos.service import Service
from tests.chaos.small_disk import small_disk
from tests.figures import Figure
from tests.servers import own_server
from tests.worker.conftest import Bench, eventually

ROW = "disk full"
SETTINGS = {"shared_buffers": "32MB", "min_wal_size": "32MB", "max_wal_size": "48MB"}
WAL = "postgresql/pg_wal"

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]


def moved(server: EmbeddedServer, part: str, to: Path) -> None:
    """Move a part of a server's data elsewhere, as an operator does: stopped, with a link to it."""
    here = server.data_dir / part
    server.stop()
    to.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", f"{here}/.", to], check=True)
    subprocess.run(["chown", "--reference", here, to], check=True)
    subprocess.run(["chmod", "--reference", here, to], check=True)
    shutil.rmtree(here)
    here.symlink_to(to)
    server.start()


def submit(api: Service) -> httpx.Response:
    """Submit a task of 100 KB that cannot be made smaller."""
    return api.submit("ledger", payload={"seconds": 0.001, "pad": secrets.token_hex(50_000)})


def refused(api: Service, acknowledged: list[str]) -> httpx.Response:
    """Submit tasks until the API refuses one, and give that answer."""
    for _ in range(1_000):
        answer = submit(api)
        if answer.status_code != 201:
            return answer
        acknowledged.append(answer.json()["id"])
    raise AssertionError("a disk of a few MB took 100 MB")


def is_problem(answer: httpx.Response, *codes: str) -> bool:
    """Say whether an answer tells a client what is wrong, and when to try again."""
    return (
        answer.status_code == 503
        and answer.headers["content-type"] == "application/problem+json"
        and int(answer.headers["retry-after"]) > 0
        and answer.json()["code"] in codes
    )


def accepted(api: Service, acknowledged: list[str]) -> bool:
    """Submit a task, and say whether it was accepted."""
    answer = submit(api)
    if answer.status_code == 201:
        acknowledged.append(answer.json()["id"])
    return answer.status_code == 201


def ended(server: EmbeddedServer, api: Service, acknowledged: list[str]) -> bool:
    """Submit a task, since a server that could recover takes more; say whether it has ended."""
    accepted(api, acknowledged)
    return server.pid is None


def test_without_room_for_tables_the_api_says_503_and_all_resumes_by_itself(
    tmp_path: Path, postgres_major: str, figure: Figure
) -> None:
    with (
        small_disk(tmp_path / "small", 160) as disk,
        own_server(disk.path / "data", postgres_major, SETTINGS) as server,
    ):
        moved(server, WAL, tmp_path / "wal")
        migrate(server.dsn())
        bench = Bench(server.dsn(), tmp_path)
        try:
            with Service(server.dsn(), tmp_path / "api.log") as api:
                acknowledged = load(bench, 3_000)
                bench.start("--concurrency", "20")
                eventually(api.is_ready, "the API is ready")
                eventually(lambda: completed(bench) >= 300, "300 are completed")
                processes = bench.processes()
                disk.fill()
                answer = refused(api, acknowledged)
                assert is_problem(answer, "database_full"), answer.text
                eventually(lambda: "PostgreSQL's disk is full" in bench.logs(), "the worker waits")
                assert completed(bench) < len(acknowledged)
                assert is_problem(submit(api), "database_full")
                disk.free()
                api_s = seconds(lambda: accepted(api, acknowledged), "the API accepts tasks")
                before = completed(bench)
                worker_s = seconds(lambda: completed(bench) > before, "the worker goes on")
                eventually(lambda: completed(bench) >= len(acknowledged), "all are completed", 90)
            check_load(bench, acknowledged)
            check_sound(server.dsn())
            assert bench.processes() == processes, "no process died of it"
            assert "worker_died" not in bench.logs()
            assert "Traceback" not in bench.logs() + api.said()
            assert bench.logs().count("database_unavailable") < 100, "it waits quietly"
        finally:
            bench.close()
    figure(
        ROW,
        f"no room for tables: 503 database_full; with room again tasks are accepted after"
        f" {api_s:.1f} s, drained after {worker_s:.1f} s; lost 0 of {len(acknowledged):,}",
        "503, resumes by itself, lost 0",
    )


def test_without_room_for_its_log_postgresql_ends_and_nothing_acknowledged_is_lost(
    tmp_path: Path, postgres_major: str, figure: Figure
) -> None:
    with (
        small_disk(tmp_path / "small", 128) as disk,
        own_server(tmp_path / "server", postgres_major, SETTINGS) as server,
    ):
        moved(server, WAL, disk.path / "wal")
        migrate(server.dsn())
        bench = Bench(server.dsn(), tmp_path)
        try:
            # a replica that never came back: the usual way in which a log fills its disk
            bench.rows("select pg_create_physical_replication_slot('gone', true)")
            with Service(server.dsn(), tmp_path / "api.log") as api:
                acknowledged = load(bench, 1_000, seconds=0.05)
                bench.start("--concurrency", "20")
                eventually(api.is_ready, "the API is ready")
                disk.fill()
                answer = refused(api, acknowledged)
                assert is_problem(answer, "database_unavailable", "database_full"), answer.text
                eventually(lambda: ended(server, api, acknowledged), "PostgreSQL has ended")
                assert is_problem(submit(api), "database_unavailable")
                eventually(lambda: "database_unavailable" in bench.logs(), "it waits")
                disk.free()
                server.stop()
                server.start()
                api_s = seconds(lambda: accepted(api, acknowledged), "the API accepts tasks")
                bench.reconnect()
                before = completed(bench)
                worker_s = seconds(lambda: completed(bench) > before, "the worker goes on")
                eventually(lambda: completed(bench) >= len(acknowledged), "all are completed", 90)
            check_load(bench, acknowledged)
            check_sound(server.dsn())
            assert "worker_died" not in bench.logs()
            assert "Traceback" not in bench.logs() + api.said()
            assert bench.logs().count("database_unavailable") < 100, "it waits quietly"
        finally:
            bench.close()
    figure(
        ROW,
        f"no room for the log: PostgreSQL ends; started with room, tasks are accepted after"
        f" {api_s:.1f} s, drained after {worker_s:.1f} s; lost 0 of {len(acknowledged):,}",
        "503, resumes by itself, lost 0",
    )
