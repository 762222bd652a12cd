"""`pgqueue up` as a newcomer meets it: the command, HTTP, psql and signals."""

import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.processes import free_port, marked, wait_until

TOP = Path(__file__).parents[2]
PGQUEUE = [sys.executable, "-m", "pgqueue"]

root_on_linux = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="about running as root on Linux"
)

SHOP = """
import os

from pgqueue import Context, PgQueue

app = PgQueue()


@app.task("greet")
async def greet(ctx: Context, payload: dict) -> dict:
    return {"greeting": f"{os.environ['GREETING']} {payload['name']}"}
"""


@dataclass
class Service:
    """A `pgqueue up`, and how to talk to it."""

    port: int
    data_dir: Path
    process: subprocess.Popen[bytes]
    mark: str
    output: Path
    read: int = 0

    def until(self, start: str) -> None:
        """Wait for a line of its output that starts so, after the last that was waited for."""

        def found() -> bool:
            for line in self.output.read_text()[self.read :].splitlines(keepends=True):
                self.read += len(line) if line.endswith("\n") else 0
                if line.startswith(start) and line.endswith("\n"):
                    return True
            assert self.process.poll() is None, "it ended"
            return False

        wait_until(found, 40)

    def ready(self) -> "Service":
        self.until(f"ready http://127.0.0.1:{self.port}\n")
        return self

    def call(self, method: str, path: str, body: object = None) -> Any:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            content = json.dumps(body) if body is not None else None
            connection.request(method, path, content, {"content-type": "application/json"})
            answer = connection.getresponse()
            return json.loads(answer.read())
        finally:
            connection.close()

    def submit(self, type: str, payload: object, **options: object) -> str:
        task = self.call("POST", "/v1/tasks", {"type": type, "payload": payload, **options})
        assert "id" in task, task
        return str(task["id"])

    def task(self, id: str) -> Any:
        return self.call("GET", f"/v1/tasks/{id}")

    def finished(self, id: str) -> Any:
        wait_until(lambda: self.task(id)["status"] in {"completed", "failed"}, 40)
        return self.task(id)

    def psql(self, *arguments: str) -> str:
        return self.command("psql", *arguments)

    def command(self, name: str, *arguments: str) -> str:
        command = [*PGQUEUE, name, "--data-dir", str(self.data_dir), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def ended(self) -> tuple[int, str]:
        """Wait for its end; return the exit code and all that it said."""
        code = self.process.wait(timeout=45)
        return code, self.output.read_text()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal, and see it end well."""
        self.process.send_signal(number)
        code, _ = self.ended()
        assert code == 0


Start = Callable[..., Service]


@pytest.fixture
def start(tmp_path: Path, data_dir_made: Path) -> Iterator[Start]:
    services: list[Service] = []

    def start(
        *arguments: str,
        command: list[str] | None = None,
        data_dir: Path | None = None,
        **environment: str,
    ) -> Service:
        if data_dir is None:
            data_dir = tmp_path / "data"
            if not data_dir.exists():
                subprocess.run(["cp", "-a", str(data_dir_made), str(data_dir)], check=True)
        mark = f"mark-{uuid.uuid4()}"
        port = free_port()
        options = ["--port", str(port), "--data-dir", str(data_dir), *arguments]
        output = tmp_path / f"output-{len(services)}"
        with output.open("w") as file:
            process = subprocess.Popen(
                [*(command or [*PGQUEUE, "up"]), *options],
                stdout=file,
                stderr=file,
                cwd=tmp_path,
                env={**os.environ, "TEST_MARK": mark, **environment},
            )
        services.append(Service(port, data_dir, process, mark, output))
        return services[-1]

    yield start
    for service in services:
        service.process.kill()
        service.process.wait()
        print(f"\n--- the output of {service.mark}\n{service.output.read_text()}")


def remains(service: Service) -> list[str]:
    """Describe the processes of a service that still run."""
    return marked(service.mark) + marked(str(service.data_dir / "postgresql"))


def test_a_task_is_run_seen_and_kept_over_a_restart(start: Start, tmp_path: Path) -> None:
    service = start(data_dir=tmp_path / "data").ready()  # made from nothing
    id = service.submit("sleep", {"delay_ms": 10})
    assert service.finished(id)["status"] == "completed"
    query = "select type, status from pgqueue.tasks"
    assert service.psql("-c", query, "-At") == "sleep|completed\n"
    assert service.command("task", id, "--why").startswith("completed: ")
    assert service.command("queue", "default").startswith("name ")
    assert "ok     partitions" in service.command("doctor")
    service.stop()
    assert not remains(service)
    assert service.psql("-Atc", query) == "sleep|completed\n"  # starts the server for the call
    assert not remains(service)
    service = start().ready()
    assert service.task(id)["status"] == "completed"
    service.stop(signal.SIGINT)
    assert not remains(service)


def test_a_running_task_is_finished_before_the_end(start: Start) -> None:
    service = start().ready()
    id = service.submit("sleep", {"delay_ms": 1500})
    wait_until(lambda: service.task(id)["status"] == "active")
    service.stop()
    query = f"select status, attempt from pgqueue.tasks where id = '{id}'"
    assert service.psql("-Atc", query) == "completed|1\n"


def test_types_of_an_app_run_beside_the_built_in_ones_with_their_environment(
    start: Start, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "shop.py").write_text(SHOP)
    service = start("--app", "shop:app", PYTHONPATH=str(elsewhere), GREETING="hello").ready()
    greeting = service.finished(service.submit("greet", {"name": "you"}))
    assert greeting["result"] == {"greeting": "hello you"}
    assert service.finished(service.submit("noop", {}))["status"] == "completed"
    service.stop()


def test_an_app_that_is_not_there_is_named_and_ends_everything(start: Start) -> None:
    service = start("--app", "nowhere.tasks:app")
    code, said = service.ended()
    assert code == 1
    assert "nowhere" in said
    assert "Traceback" not in said
    assert not remains(service)


def test_killed_outright_it_leaves_nothing_and_loses_nothing(start: Start) -> None:
    service = start().ready()
    id = service.submit("sleep", {"delay_ms": 3000})
    wait_until(lambda: service.task(id)["status"] == "active")
    service.process.kill()
    service.process.wait()
    wait_until(lambda: not remains(service), 10)
    service = start().ready()
    assert service.finished(id)["status"] == "completed"
    service.stop()


def test_a_postgresql_that_is_killed_comes_back_and_so_does_the_rest(start: Start) -> None:
    service = start().ready()
    ids = [service.submit("sleep", {"delay_ms": 300}) for _ in range(20)]
    pid_file = service.data_dir / "postgresql/postmaster.pid"
    os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
    service.until("pgqueue up: PostgreSQL runs")
    wait_until(lambda: service.call("GET", "/readyz").get("status") == "ready", 30)
    for id in ids:
        assert service.finished(id)["status"] == "completed"
    service.stop()


def test_several_processes_share_the_work(start: Start) -> None:
    service = start("--processes", "2").ready()
    query = "select count(*) from pgqueue.workers where state = 'active'"
    assert service.psql("-Atc", query) == "2\n"
    service.stop()
    assert not remains(service)


def test_a_port_in_use_is_told_in_two_lines_before_anything_starts(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [*PGQUEUE, "up", "--port", str(port), "--data-dir", str(tmp_path / "data")]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[0].startswith(f"pgqueue: port {port} on 127.0.0.1")
    assert len(ended.stderr.splitlines()) == 2
    assert not (tmp_path / "data").exists()


def test_a_second_one_over_the_same_data_is_refused(start: Start) -> None:
    first = start().ready()
    second = start()
    code, said = second.ended()
    assert code == 1
    assert f"(process {first.process.pid})" in said
    assert first.finished(first.submit("noop", {}))["status"] == "completed"
    first.stop()


def test_make_run_ends_with_its_signal_and_leaves_nothing(start: Start) -> None:
    # The environment of this test run is what `make setup` would make; it is not made again.
    make = f"make --no-print-directory -C '{TOP}' -o '{sys.prefix}/.run' VENV='{sys.prefix}' run"
    service = start(command=["sh", "-c", f'exec {make} "ARGS=$*"', "sh"])
    service.ready()
    service.process.terminate()
    service.process.wait(timeout=45)
    wait_until(lambda: not remains(service), 10)


@root_on_linux
def test_root_runs_it_in_a_closed_directory(start: Start, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    service = start(data_dir=closed / "data").ready()
    assert service.finished(service.submit("noop", {}))["status"] == "completed"
    service.stop()
    assert closed.stat().st_mode & 0o777 == 0o700
    assert not remains(service)


@root_on_linux
def test_an_ordinary_user_runs_it(start: Start, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 65534, 65534)
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)
    # Where root's checkout is closed to others, this user may enter it all the same.
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    become += ["--securebits=+no_setuid_fixup", "--inh-caps=-all,+dac_read_search"]
    become += ["--ambient-caps=+dac_read_search"]
    service = start(
        command=[*become, *PGQUEUE, "up"], data_dir=home / "data", HOME=str(home)
    ).ready()
    assert service.finished(service.submit("noop", {}))["status"] == "completed"
    assert (home / "data/postgresql").stat().st_uid == 65534
    service.stop()
    assert not remains(service)
