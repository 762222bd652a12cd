"""The system that the nemesis breaks: PostgreSQL, API, supervisors and clients, all to be killed.

Supervisor 0, the API and the client of SQL reach PostgreSQL directly, supervisor 1 and the client
of the library through the proxy; supervisor 2 goes by a clock that may be wrong.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from pgqueue.database.migrations import migrate
from pgqueue.embedded import EmbeddedServer
from tests.chaos.clocks import Clock, wrong_clock
from tests.chaos.histories import CALLS, moment
from tests.chaos.proxy import Proxy, proxied
from tests.processes import free_port

__all__ = ["LEASE_S", "Client", "Program", "Stage", "staged"]

LEASE_S = 4.0
_PROCESSES = 2
_GRACE_S = 8.0
_PATIENCE_S = 60.0
# What nobody waits for is written as late as can be: a crash takes it back.
_SETTINGS = {"shared_buffers": "64MB", "wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"}
_EFFECTS = "create table effect (task_id uuid not null, lease_id bigint not null)"
_RUN_CRASHED_AGAIN = """
select count(pgqueue.redrive(id)) from pgqueue.dead_letters where error ->> 'type' = 'Crashed'
"""
_ANY_LEFT = """
select exists (select from pgqueue_private.ready) or exists (select from pgqueue_private.delayed)
    or exists (select from pgqueue_private.running)
"""
_ACTIVE = "select count(*) from pgqueue_private.worker where state = 'active'"
_COMPLETED = "select count(*) from pgqueue_private.attempt where outcome = 'completed'"
_WORKER = ["pgqueue", "worker", "--app", "tests.chaos.work:app"]


class Program:
    """A process with its children, to be signalled and started again."""

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        log: Path,
        folder: Path | None = None,
    ):
        self.name = name
        self._folder = folder
        self.command = command
        self._environment = {**os.environ, **environment}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.alive:
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self.command],
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def status(self) -> int | None:
        """Its exit status, once it has ended."""
        return self._process.poll() if self._process else None

    def family(self) -> list[psutil.Process]:
        """Return it and its children."""
        if self._process is None:
            return []
        with suppress(psutil.NoSuchProcess):
            one = psutil.Process(self._process.pid)
            return [one, *one.children(recursive=True)]
        return []

    def signal(self, number: int, *, children: bool = False) -> None:
        """Send a signal to it, or to it and all its children."""
        if self._process is None:
            return
        for process in self.family() if children else self.family()[:1]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self) -> None:
        """Kill it, and wait; its children are its own affair."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def end(self) -> None:
        """End it by force, with what it started."""
        self.signal(signal.SIGCONT, children=True)
        family = self.family()
        self.kill()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()


class Client:
    """A share of the load: one process after the other, until all its tasks were asked for."""

    def __init__(self, stage: Stage, kind: str, tasks: int, rate: float, slow: float) -> None:
        self._stage = stage
        self._slow = slow
        self._kind = kind
        self._tasks = tasks
        self._rate = rate
        self._lives = 0
        self.program: Program | None = None

    def start(self) -> None:
        """Start the next process, for what the ones before it have not asked for."""
        left = self._tasks - self._asked()
        if left <= 0:
            return
        name = f"{self._kind}{self._lives}"
        self._lives += 1
        stage = self._stage
        self.program = Program(
            name,
            ["tests.chaos.clients", self._kind, name]
            + [str(each) for each in (stage.seed, left, self._rate, self._slow)],
            stage.environment,
            stage.folder / f"{name}.log",
        )
        self.program.start()

    def kill(self) -> None:
        """Kill the process, in whatever call it is."""
        if self.program is not None:
            self.program.kill()

    @property
    def in_a_call(self) -> bool:
        """Whether it has asked for something and has not heard of it yet."""
        if self.program is None or not self.program.alive:
            return False
        history = self._stage.histories / f"{CALLS}-{self.program.name}.jsonl"
        last = history.read_bytes()[-10_000:].splitlines()[-1:] if history.exists() else []
        return any(line.startswith((b'{"what":"enqueue",', b'{"what":"cancel",')) for line in last)

    @property
    def done(self) -> bool:
        """Whether all was asked for; raises when the process died of an error of its own."""
        status = self.program.status if self.program else 0
        assert status in (None, 0, -signal.SIGKILL), f"{self._kind} failed: {self.program.name}.log"
        return status is not None and self._asked() >= self._tasks

    def _asked(self) -> int:
        asked = 0
        for file in self._stage.histories.glob(f"{CALLS}-{self._kind}*.jsonl"):
            for line in file.read_bytes().splitlines():
                if line.startswith(b'{"what":"enqueue",'):
                    asked += int(line.rpartition(b'"tasks":')[2].partition(b",")[0])
        return asked


class Stage:
    """See the text of the module. Made by `staged`."""

    def __init__(
        self,
        folder: Path,
        server: EmbeddedServer,
        proxy: Proxy,
        clock: Clock | None,
        *,
        seed: object,
        lease_s: float,
        api: str,
    ) -> None:
        self.folder = folder
        self.histories = folder / "histories"
        self.histories.mkdir(parents=True, exist_ok=True)
        self.server = server
        self.proxy = proxy
        self.clock = clock
        self.seed = seed
        self.dsn = server.dsn()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            "CHAOS_HISTORIES": str(self.histories),
            "CHAOS_DIRECT": self.dsn,
            "CHAOS_PROXIED": proxy.dsn,
            "CHAOS_API": self.url,
            "PGQUEUE_LEASE_S": str(lease_s),
            "PGQUEUE_HEARTBEAT_S": "0.5",
            "PGQUEUE_GRACE_S": str(_GRACE_S),
            "PGQUEUE_LOG_FORMAT": "json",
        }
        worker = [*_WORKER, "--processes", str(_PROCESSES), "--concurrency", "10"]
        self.api = self._program("api", [api, "api", "--port", str(port)], self.dsn)
        self.supervisors = [
            self._program("supervisor0", worker, self.dsn),
            self._program("supervisor1", worker, proxy.dsn),
            self._program("supervisor2", worker, self.dsn, clock.environment if clock else {}),
        ]
        self.clients: list[Client] = []

    def _program(
        self, name: str, arguments: list[str], dsn: str, more: Mapping[str, str] | None = None
    ) -> Program:
        environment = {**self.environment, "PGQUEUE_DATABASE_URL": dsn, **(more or {})}
        return Program(name, arguments, environment, self.folder / f"{name}.log")

    def start(self, *, tasks: int, rate: float, slow: float) -> None:
        """Start everything; the clients ask for so many tasks, so many a second, all together.

        Returns once the first have been executed. ``slow``: the share of those that take seconds.
        """
        for program in (self.api, *self.supervisors):
            program.start()
        wait_until(lambda: self.ask(_ACTIVE) >= len(self.supervisors) * _PROCESSES)
        wait_until(self._api_answers)
        kinds = ("library", "http", "sql")
        for n, kind in enumerate(kinds):
            share = tasks * (n + 1) // len(kinds) - tasks * n // len(kinds)
            self.clients.append(Client(self, kind, share, rate / len(kinds), slow))
            self.clients[-1].start()
        wait_until(lambda: self.ask(_COMPLETED) >= min(tasks, 100) // 10)

    def _api_answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz").is_success
        except httpx.HTTPError:
            return False

    def ask(self, statement: str, *parameters: Any) -> Any:
        """Return the first value that PostgreSQL answers."""
        with psycopg.connect(self.dsn, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement, parameters or None)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def try_(self, statement: str) -> None:
        """Run a statement; that PostgreSQL may be away is part of the play."""
        with suppress(psycopg.OperationalError):
            self.ask(statement)

    def workers(self) -> list[psutil.Process]:
        """Return the worker processes of all supervisors, in order."""
        return [child for one in self.supervisors for child in one.family()[1:]]

    def turn_the_clock(self, offset: str) -> None:
        """Set the clock that supervisor 2 goes by."""
        if self.clock is not None:
            self.clock.set(offset)

    def crash(self) -> None:
        """Stop PostgreSQL as `pg_ctl stop -m immediate` does: what was not flushed is gone."""
        pid = self.server.pid
        if pid is not None:
            os.kill(pid, signal.SIGQUIT)
            wait_until(lambda: self.server.pid is None)
        self.server.stop()

    def heal(self) -> None:
        """See that everything runs, and nothing is in its way."""
        self.proxy.heal()
        self.turn_the_clock("+0")
        self.server.start()
        for program in (self.api, *self.supervisors):
            program.signal(signal.SIGCONT, children=True)
            program.start()

    def drain(self, patience_s: float) -> bool:
        """Wait until every client has asked and every task has ended; whether they have.

        A task that crashed three times, as tasks do that are near to every fault, has been given
        up as is promised, and is run again here: it must not be lost either.
        """
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            asked = all(client.done for client in self.clients)
            self.ask(_RUN_CRASHED_AGAIN)
            if asked and not self.ask(_ANY_LEFT):
                return True
            time.sleep(0.5)
        return False

    def stop(self) -> None:
        """Stop workers and API as one does, so that they write down all they hear."""
        for program in (*self.supervisors, self.api):
            program.signal(signal.SIGTERM)
        with suppress(AssertionError):  # what does not stop is ended
            wait_until(lambda: not any(one.alive for one in (*self.supervisors, self.api)))

    def end(self) -> None:
        """End every process."""
        for program in (*self.supervisors, self.api):
            program.end()
        for client in self.clients:
            if client.program is not None:
                client.program.end()

    def from_epoch(self) -> float:
        """Return the offset from seconds of the epoch to `moment`."""
        return moment() - time.time()


def wait_until(condition: Any) -> None:
    """Wait for what other processes do."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@contextmanager
def staged(
    folder: Path,
    *,
    seed: object = 0,
    lease_s: float = LEASE_S,
    faked: bool = False,
    binaries: Path | None = None,
    broken: str = "",
    api: str = "pgqueue",
) -> Iterator[Stage]:
    """Make a stage in a folder, and start PostgreSQL, nothing else.

    ``faked``: a clock is to be turned; ``broken``: SQL that takes a protection out of the schema;
    ``api``: the module that is run as the API.
    """
    with ExitStack() as stack:
        server = EmbeddedServer(folder / "server", binaries=binaries, settings=_SETTINGS)
        stack.enter_context(server)
        migrate(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(_EFFECTS)
            if broken:
                connection.execute(broken)
        proxy = stack.enter_context(proxied(server.dsn()))
        clock = stack.enter_context(wrong_clock(folder / "clock", "+0")) if faked else None
        stage = Stage(folder, server, proxy, clock, seed=seed, lease_s=lease_s, api=api)
        stack.callback(stage.end)
        yield stage


def chance_of(seed: object, what: object) -> random.Random:
    """Return a random generator for each part of a run, so that no part affects another's."""
    return random.Random(f"{seed}/{what}")
