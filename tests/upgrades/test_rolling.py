"""A rolling deploy under load: two releases share a schema, and nothing is lost or run twice."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import orjson
import psycopg
import pytest

from tests.chaos.histories import moment, read_history, read_stored
from tests.chaos.ledger import check
from tests.chaos.stage import Program
from tests.figures import Figure
from tests.processes import free_port, wait_until
from tests.servers import Server
from tests.soundness import assert_sound
from tests.upgrades.releases import Release, last_released, next_one, tags, this_one

PATIENCE_S = 100
RATE = 12.0  # calls that each client makes in a second
COMPLETED = """
select count(*) from pgqueue_private.attempt as a
join pgqueue_private.worker as w on w.id = a.worker_id
where a.outcome = 'completed' and w.supervisor like %s
"""
OPEN = """
select (select count(*) from pgqueue_private.ready) + (select count(*) from pgqueue_private.delayed)
    + (select count(*) from pgqueue_private.running)
"""
DEADLOCKS = "select deadlocks from pg_stat_database where datname = current_database()"
EXPECTED = {"task_failed", "task_cancelled"}
KINDS = ("library", "http", "sql")


class Deploy:
    """One database, and the programs of two releases on it, each with its own code."""

    def __init__(self, dsn: str, folder: Path, stack: ExitStack) -> None:
        self.dsn = dsn
        self.folder = folder
        self.histories = folder / "histories"
        self.histories.mkdir()
        self._stack = stack
        self._numbers = count()
        self._environment = {
            "CHAOS_HISTORIES": str(self.histories),
            "CHAOS_DIRECT": dsn,
            "CHAOS_PROXIED": dsn,
            "PGQUEUE_DATABASE_URL": dsn,
            "PGQUEUE_LOG_FORMAT": "json",
            "PGQUEUE_GRACE_S": "60",
            "PGQUEUE_LEASE_S": "60",
        }

    def program(self, release: Release, name: str, *command: str, **more: str) -> Program:
        """Start a program with the code of a release."""
        name = f"{name}-{release.name}"
        environment = {**self._environment, **more, "PYTHONPATH": str(release.folder)}
        log = self.folder / f"{name}.log"
        program = Program(name, [*command], environment, log, release.folder)
        program.start()
        self._stack.callback(program.end)
        return program

    def worker(self, release: Release) -> tuple[Program, str]:
        """Start a worker; give it, and where it says whether it is ready."""
        port = free_port()
        more = ("--app", "tests.chaos.work:app", "--metrics-port", str(port))
        program = self.program(release, "worker", "pgqueue", "worker", *more)
        return program, f"http://127.0.0.1:{port}"

    def migrate(self, release: Release) -> list[str]:
        """Run the command, and give what it says it applied; it may have had to wait for locks."""
        program = self.program(release, "migrate", "pgqueue", "migrate")
        self.until_done(program)
        said = (self.folder / f"{program.name}.log").read_text().splitlines()
        return [line for line in said if not line.startswith("waiting for a lock;")]

    def until_done(self, *programs: Program) -> None:
        """Wait for programs that end by themselves, without an error."""
        wait_until(lambda: not any(one.alive for one in programs), PATIENCE_S)
        assert [one.name for one in programs if one.status != 0] == []

    def stop(self, *programs: Program) -> None:
        """Stop programs as one does."""
        for program in programs:
            program.signal(signal.SIGTERM)
        self.until_done(*programs)

    def api(self, release: Release) -> tuple[Program, str]:
        """Start an API; give it, and where it is."""
        port = free_port()
        return (
            self.program(release, "api", "pgqueue", "api", "--port", str(port)),
            f"http://127.0.0.1:{port}",
        )

    def client(self, release: Release, kind: str, tasks: int, api: str = "") -> Program:
        """Have a client of a release ask for tasks."""
        name = f"{kind}{next(self._numbers)}"
        command = ("tests.chaos.clients", kind, name, "7", str(tasks), str(RATE), "0.03")
        return self.program(release, name, *command, CHAOS_API=api)

    def ask(self, statement: str, *parameters: Any) -> Any:
        """Return the first value that PostgreSQL answers."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters or None)
            (value,) = cursor.fetchone() or (None,) if cursor.description else (None,)
            return value

    def completed_by(self, worker: Program) -> int:
        """How many tasks a supervisor's processes have completed."""
        return self.ask(COMPLETED, f"%:{worker.family()[0].pid}")

    def log(self, program: Program) -> list[dict[str, Any]]:
        """What a program has said."""
        lines = (self.folder / f"{program.name}.log").read_bytes().splitlines()
        return [orjson.loads(line) if line.startswith(b"{") else {"raw": line} for line in lines]

    def complaints(self, program: Program) -> list[dict[str, Any]]:
        """What it has said that is not as it should be; that tasks fail is planned."""
        said = [line for line in self.log(program) if line.get("level") not in ("info", "debug")]
        return [line for line in said if line.get("event") not in EXPECTED]


def readiness(url: str) -> tuple[int, str]:
    """What /readyz answers."""
    try:
        answer = httpx.get(f"{url}/readyz", timeout=20)
    except httpx.TransportError as error:
        return 0, str(error)
    return answer.status_code, answer.text


def until(condition: Callable[[], object]) -> None:
    wait_until(condition, PATIENCE_S)


@pytest.fixture
def deploy(server: Server, tmp_path: Path) -> Iterator[Deploy]:
    name = server.create()
    with ExitStack() as stack:
        stack.callback(server.drop, name)
        yield Deploy(server.dsn(name), tmp_path, stack)


@pytest.fixture(params=["next", *(["last"] if tags() else [])])
def releases(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Release, Release]:
    """The older and the newer: this one and one to come; once there is one, the last and this."""
    this = this_one(tmp_path / "this")
    if request.param == "next":
        return this, next_one(tmp_path / "next")
    last = last_released(tmp_path / "last")
    assert last is not None
    return last, this


@pytest.mark.timeout(400)
def test_nothing_is_lost_or_run_twice_while_a_release_takes_the_place_of_another(
    deploy: Deploy, releases: tuple[Release, Release], figure: Figure
) -> None:
    """Start the new, migrate in the middle of the load, run both, stop the old."""
    old, new = releases
    deploy.migrate(old)
    deploy.ask("create table effect (task_id uuid not null, lease_id bigint not null)")
    old_worker, old_worker_url = deploy.worker(old)
    old_api, old_url = deploy.api(old)
    until(lambda: readiness(old_worker_url)[0] == readiness(old_url)[0] == 200)

    new_worker, new_worker_url = deploy.worker(new)
    new_api, new_url = deploy.api(new)
    until(lambda: readiness(new_worker_url)[0] and readiness(new_url)[0])
    if new.version > old.version:  # the reverse: new code before its schema waits for it
        message = f"the schema is at version {old.version}, this code needs {new.version}"
        for url in (new_worker_url, new_url):
            until(lambda url=url: message in readiness(url)[1])
            assert readiness(url)[0] == 503
            assert "pgqueue migrate" in readiness(url)[1]
    load = [deploy.client(old, kind, 150, old_url) for kind in KINDS]
    until(lambda: deploy.completed_by(old_worker) > 20)
    if new.version > old.version:
        assert deploy.completed_by(new_worker) == 0
    before = deploy.completed_by(old_worker)

    assert len(deploy.migrate(new)) == max(1, new.version - old.version)

    migrated = deploy.completed_by(old_worker)
    assert migrated > before, "it went on meanwhile"
    until(lambda: readiness(new_worker_url)[0] == readiness(new_url)[0] == 200)
    migrated = deploy.completed_by(old_worker)
    load += [deploy.client(old, kind, 40, old_url) for kind in KINDS]
    load += [deploy.client(new, kind, 40, new_url) for kind in KINDS]
    until(lambda: deploy.completed_by(new_worker) > 20)
    until(lambda: deploy.completed_by(old_worker) > migrated + 20)
    assert readiness(old_worker_url)[0] == readiness(old_url)[0] == 200
    deploy.until_done(*load)
    by_both = deploy.completed_by(old_worker), deploy.completed_by(new_worker)
    rest = [deploy.client(new, kind, 30, new_url) for kind in KINDS]
    deploy.stop(old_worker, old_api)
    deploy.until_done(*rest)
    until(lambda: deploy.ask(OPEN) == 0)
    deploy.stop(new_worker, new_api)

    history = read_history(deploy.histories)
    with psycopg.connect(deploy.dsn, autocommit=True) as connection:
        stored = read_stored(connection, moment() - time.time())
        assert_sound(connection)
    verdict = check(history, stored)
    assert verdict.sound, verdict.evidence()
    assert verdict.unknown == 0, "every call was answered"
    assert {call.end for call in history.calls} == {"ok", "rolled back"}
    assert deploy.ask(DEADLOCKS) == 0
    for program in (old_worker, old_api, new_api):
        assert deploy.complaints(program) == []
    figure(
        f"rolling deploy, {old.name} and {new.name} release",
        f"lost {len(verdict.lost)}, run twice {verdict.reexecutions} of {verdict.completed}, "
        f"by old and new {by_both[0]} and {by_both[1]}",
        "0, 0",
    )
