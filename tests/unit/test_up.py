"""How `pgqueue up` starts and stops what it runs, with stand-ins for the API and the worker."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from pgqueue.commands.up import Options, up
from pgqueue.embedded import EmbeddedServer
from pgqueue.errors import UsageError
from tests.processes import alive, free_port, wait_until

# Answers /readyz like the API or registers like the worker, drains for DRAIN_S on SIGTERM, has a
# child.
STAND_IN = """
import argparse, http.server, os, signal, socket, subprocess, sys, threading, time
import psycopg

parser = argparse.ArgumentParser()
parser.add_argument("what")
for name in ("host", "port", "processes", "app"):
    parser.add_argument(f"--{name}")
parser.add_argument("--builtin", action="store_true")
parser.add_argument("--check", action="store_true")
options = parser.parse_args()
if options.check:
    sys.exit()
if options.app == "broken:app":
    sys.exit(7)
child = subprocess.Popen(["sleep", "600"])
mine = [os.environ.get(name) for name in ("PGQUEUE_LOG_FORMAT", "MINE")]
print(options.what, os.getpid(), child.pid, *mine, flush=True)


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def drain(*_):
    def end():
        time.sleep(float(os.environ["DRAIN_S"]))
        print(f"{options.what} drained", flush=True)
        if os.environ.get("ORPHAN") is None:
            child.kill()
        os._exit(0)
    threading.Thread(target=end).start()


signal.signal(signal.SIGTERM, drain)
if options.what == "worker":
    host, pid = socket.gethostname(), os.getpid()
    with psycopg.connect(os.environ["PGQUEUE_DATABASE_URL"]) as connection:
        connection.execute(
            "select pgqueue_private.register_worker(%s, %s, %s, '0', '{}', '{}', 1, 3600)",
            [f"{host}:{pid}", host, pid],
        )
    while True:
        signal.pause()
http.server.HTTPServer(("127.0.0.1", int(options.port)), Answer).serve_forever()
"""

DRIVER = """
import sys
from pathlib import Path
import pgqueue.commands.up
from pgqueue.commands.up import Options, up

pgqueue.commands.up._PGQUEUE = (sys.executable, sys.argv[1])
app = sys.argv[4] if len(sys.argv) > 4 else None
sys.exit(up(Options(port=int(sys.argv[2]), data_dir=Path(sys.argv[3]), app=app)))
"""


@dataclass
class Running:
    """A `pgqueue up` in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    data_dir: Path
    lines: list[str] = field(default_factory=list)

    def until(self, start: str) -> str:
        """Read its output up to a line that starts so; return that line."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith(start):
                return self.lines[-1]
        raise AssertionError("\n".join(self.lines))

    def rest(self) -> str:
        """Wait for its end; return all that it said after what was read."""
        said, _ = self.process.communicate(timeout=60)
        self.lines += said.splitlines()
        return said

    def pids(self) -> list[int]:
        """Return the processes of the API, the worker, their children, and of PostgreSQL."""
        lines = sorted(line for line in self.lines if line.startswith(("api ", "worker ")))
        started = [line.split() for line in lines]
        pids = [int(pid) for words in started for pid in words[1:3]]
        return [*pids, self.postgres()]

    def postgres(self) -> int:
        return int((self.data_dir / "postgresql/postmaster.pid").read_text().split()[0])


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path, data_dir_made: Path) -> Iterator[Start]:
    stand_in = tmp_path / "stand_in.py"
    stand_in.write_text(STAND_IN)
    started: list[Running] = []

    def start(*arguments: str, **environment: str) -> Running:
        port = free_port()
        data_dir = tmp_path / "data"
        if "PGQUEUE_DATABASE_URL" not in environment:
            subprocess.run(["cp", "-a", str(data_dir_made), str(data_dir)], check=True)
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(stand_in), str(port), str(data_dir), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "DRAIN_S": "0.3", **environment},
        )
        started.append(Running(process, port, data_dir))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_drains_everything_and_leaves_nothing(
    start: Start, number: signal.Signals
) -> None:
    running = start()
    assert running.until("ready ") == f"ready http://127.0.0.1:{running.port}"
    pids = running.pids()
    assert len(pids) == 5
    running.process.send_signal(number)
    said = running.rest()
    assert running.process.returncode == 0, said
    assert "api drained" in said
    assert "worker drained" in said
    assert not [pid for pid in pids if alive(pid)]


def test_a_second_signal_does_not_wait_for_the_drain(start: Start) -> None:
    running = start(DRAIN_S="600")
    running.until("ready ")
    pids = running.pids()
    running.process.send_signal(signal.SIGINT)
    running.until("pgqueue up: stopping")

    def ended_by_another() -> bool:
        running.process.send_signal(signal.SIGINT)
        return running.process.poll() is not None

    wait_until(ended_by_another)
    assert not [pid for pid in pids if alive(pid)]


def test_signals_at_once_are_one(start: Start) -> None:
    running = start()
    running.until("ready ")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        running.process.send_signal(number)
    said = running.rest()
    assert running.process.returncode == 0
    assert "worker drained" in said


def test_what_a_drained_worker_forgot_is_killed(start: Start) -> None:
    running = start(ORPHAN="1")
    running.until("ready ")
    pids = running.pids()
    running.process.terminate()
    running.rest()
    assert not [pid for pid in pids if alive(pid)]


def test_nothing_outlives_an_up_that_was_killed(start: Start) -> None:
    running = start(DRAIN_S="600")
    running.until("ready ")
    pids = running.pids()
    running.process.kill()
    running.process.wait()
    wait_until(lambda: not [pid for pid in pids if alive(pid)])


def test_a_signal_during_the_start_stops_it(start: Start) -> None:
    running = start()
    wait_until((running.data_dir / "postgresql/postmaster.pid").exists)
    running.process.send_signal(signal.SIGINT)
    said = running.rest()
    assert running.process.returncode == 0, said
    assert "Traceback" not in said
    assert not (running.data_dir / "postgresql/postmaster.pid").exists()


@pytest.mark.parametrize(("name", "index"), [("API", 0), ("worker", 1)])
def test_a_child_that_was_killed_ends_everything_with_its_exit_code(
    start: Start, name: str, index: int
) -> None:
    running = start()
    running.until("ready ")
    pids = running.pids()
    os.kill(pids[index * 2], signal.SIGKILL)
    said = running.rest()
    assert f"the {name} was killed by SIGKILL; stopping everything" in said
    assert running.process.returncode == 128 + signal.SIGKILL
    assert not [pid for pid in pids if alive(pid)]


def test_a_worker_that_cannot_start_ends_everything_with_its_exit_code(start: Start) -> None:
    running = start("broken:app")
    said = running.rest()
    assert "the worker ended by itself with exit code 7" in said
    assert running.process.returncode == 7
    assert not (running.data_dir / "postgresql/postmaster.pid").exists()


def test_a_postgresql_that_was_killed_is_started_again(start: Start) -> None:
    running = start()
    running.until("ready ")
    first = running.postgres()
    os.kill(first, signal.SIGKILL)
    running.until("pgqueue up: PostgreSQL ended; starting it again")
    running.until("pgqueue up: PostgreSQL runs")
    assert running.postgres() != first
    dsn = EmbeddedServer(running.data_dir).running()
    assert dsn
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select count(*) from pgqueue.tasks").fetchone() == (0,)
    running.process.terminate()
    running.rest()
    assert running.process.returncode == 0


def test_a_port_in_use_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} on 127.0.0.1 cannot be used") as raised:
            up(Options(port=port, data_dir=tmp_path / "data"))
    assert "--port" in str(raised.value.hint)
    assert not (tmp_path / "data").exists()


def test_a_database_that_is_named_is_used_and_left_alone(start: Start, database: str) -> None:
    running = start(PGQUEUE_DATABASE_URL=database, MINE="reaches the children")
    running.until("ready ")
    assert not running.data_dir.exists()
    assert all(
        line.endswith(" None reaches the children")  # nor has it a format of logs of its own
        for line in running.lines
        if line.startswith(("api ", "worker "))
    )
    running.process.terminate()
    running.rest()
    assert running.process.returncode == 0
    with psycopg.connect(database) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
