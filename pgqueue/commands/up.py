"""``pgqueue up``: PostgreSQL, API and worker in one terminal, started and stopped as one.

Guarantees: nothing starts if the port is taken or the app cannot be loaded. When this returns after
a drain, every process that it started has ended; if it is stopped at once or killed, they end
within a second or two. The first SIGINT, SIGTERM or SIGHUP drains, the second ends at once. If the
API or the worker ends by itself, everything ends with its exit code. If the embedded PostgreSQL
ends, it is started again; API and worker wait for it.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click

from pgqueue.commands.process_count import METAVAR, ONE, Processes, parse
from pgqueue.database.access import prepare_access
from pgqueue.database.connection import connected
from pgqueue.database.migrations import migrate
from pgqueue.database.queries import query
from pgqueue.embedded import EmbeddedServer
from pgqueue.errors import DatabaseUnavailable, PgQueueError, UsageError
from pgqueue.processes import Family, Signals, Stopped
from pgqueue.settings import Settings

__all__ = ["Options", "command", "up"]

_PGQUEUE = (sys.executable, "-m", "pgqueue")
_KILL_AFTER_S = 10  # after the grace period of the worker's handlers
_PATIENCE_S = 15
_RESTARTS, _RESTARTS_WITHIN_S = 3, 60

_TRY = """\
try:   curl -sS {url}/v1/tasks -H 'content-type: application/json' -d '{task}'
watch: curl -sSN {url}/v1/tasks/ID/events
see:   {url}/ui
docs:  {url}/docs"""
_OPEN = "open: everyone on this machine may do everything, until `pgqueue users add --admin EMAIL`"
_TASK = '{"type": "sleep", "payload": {"delay_ms": 2000}}'


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    host: str = "127.0.0.1"
    port: int = 8000
    data_dir: Path = Path(".pgqueue")
    processes: Processes = ONE
    app: str | None = None


def up(options: Options) -> int:
    """Run everything until a signal or a failure; return the exit code.

    Raises:
        UsageError: the port is taken, or the data directory cannot be used.
        DatabaseUnavailable: PostgreSQL does not start, or cannot be reached.
    """
    port = _free_port(options.host, options.port)
    if options.app and (code := _check(options.app)):
        return code
    with Signals() as signals:
        run = _Run(options, port, signals)
        try:
            with Family() as family:
                return run.supervise(family)
        except Stopped:
            return 0
        finally:
            if run.server:
                run.server.stop()
            _say("stopped")


class _Run:
    """One run, from the start of `supervise` to its end."""

    def __init__(self, options: Options, port: int, signals: Signals) -> None:
        settings = Settings()
        self.server = None if settings.database_url else EmbeddedServer(options.data_dir)
        self._options = options
        self._settings = settings
        self._signals = signals
        self._restarts: deque[float] = deque(maxlen=_RESTARTS)
        host = _reachable(options.host)
        self._url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._port = port
        self._dsn = ""
        self._supervisor = ""
        self._open = False

    def supervise(self, family: Family) -> int:
        """Start everything, watch it, and drain it; return the exit code."""
        with self._signals.interrupting():
            self._dsn = self._database(family)
            for name in migrate(self._dsn):
                _say(f"migrated {name}")
            self._open = prepare_access(self._dsn, self._options.host, self._settings)
        self._start(family)
        code = self._watch(family)
        self._drain(family)
        return code

    def _database(self, family: Family) -> str:
        if not self.server:
            return self._settings.dsn()
        if service := os.environ.get("PGSERVICE"):
            _say(f"PGSERVICE={service} is ignored: PostgreSQL is the embedded one")
        dsn = self.server.start()
        if self.server.pid:
            family.adopt(self.server.pid)
        _say(f"PostgreSQL runs in {self.server.data_dir}")
        return dsn

    def _start(self, family: Family) -> None:
        options = self._options
        environment = {
            **os.environ,
            "PGQUEUE_DATABASE_URL": self._dsn,
            "PYTHONUNBUFFERED": "1",
        }
        api = [*_PGQUEUE, "api", "--host", options.host, "--port", str(self._port)]
        worker = [*_PGQUEUE, "worker", "--processes", str(options.processes)]
        if options.app:
            worker += ["--app", options.app, "--builtin"]
        family.start("API", api, environment)
        pid = family.start("worker", worker, environment)
        self._supervisor = f"{socket.gethostname()}:{pid}"

    def _watch(self, family: Family) -> int:
        """Return when it is time to stop, with the exit code."""
        begin = time.monotonic()
        ready = warned = False
        while not self._signals.count:
            if ended := family.ended():
                return _report_end(*ended)
            self._keep_server(family)
            if not ready:
                waits_for = self._waits_for()
                if ready := waits_for is None:
                    click.echo(f"ready {self._url}")
                    click.echo(_TRY.format(url=self._url, task=_TASK))
                    if self._open:
                        click.echo(_OPEN)
                elif not warned and time.monotonic() - begin > _PATIENCE_S:
                    _say(f"still waiting for {waits_for}")
                    warned = True
            self._signals.wait(None if ready else 0.1)
        return 0

    def _waits_for(self) -> str | None:
        """Return what is not ready yet, and why; None if everything is."""
        # http.client, because urllib would use the proxies of the environment
        api = http.client.HTTPConnection(_reachable(self._options.host), self._port, timeout=2)
        try:
            api.request("GET", "/readyz")
            answer = api.getresponse()
            if answer.status != HTTPStatus.OK:
                return f"the API: {answer.read(500).decode(errors='replace')}"
        except (OSError, http.client.HTTPException) as error:
            return f"the API: {error}"
        finally:
            api.close()
        try:
            with connected(self._dsn, "pgqueue up") as connection:
                supervisor = {"supervisor": self._supervisor}
                row = connection.execute(query("workers_of_supervisor"), supervisor).fetchone()
        except PgQueueError as error:
            return f"PostgreSQL: {error}"
        running = row[0] if row else 0
        wanted = self._options.processes.lowest
        return (
            None
            if running >= wanted
            else f"the worker: {running} of {wanted} processes are running"
        )

    def _keep_server(self, family: Family) -> None:
        """Start PostgreSQL again if it ended, unless it keeps ending."""
        if not self.server or self.server.pid:
            return
        now = time.monotonic()
        if len(self._restarts) == _RESTARTS and now - self._restarts[0] < _RESTARTS_WITHIN_S:
            raise DatabaseUnavailable(
                f"PostgreSQL ended {_RESTARTS + 1} times within {_RESTARTS_WITHIN_S} s",
                hint=f"see its log: {self.server.log}",
            )
        self._restarts.append(now)
        _say("PostgreSQL ended; starting it again")
        try:
            with self._signals.interrupting():
                self._dsn = self._database(family)
        except Stopped:
            return

    def _drain(self, family: Family) -> None:
        """Let everything end, until the grace period is over or another signal comes."""
        hurry_at = min(self._signals.count, 1) + 1  # a first signal only drains
        _say("stopping (signal again to stop at once)")
        family.terminate()
        deadline = time.monotonic() + self._settings.grace_s + _KILL_AFTER_S
        while family.running():
            if self._signals.count >= hurry_at or time.monotonic() > deadline:
                family.kill()
            self._signals.wait(0.5)


def _free_port(host: str, port: int) -> int:
    """Return ``port`` if it is free on ``host``, for 0 any free one, or raise UsageError."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        raise UsageError(
            f"port {port} on {host} cannot be used: {error.strerror or error}",
            hint="stop the process that uses it, or choose another with --port",
        ) from error


def _check(app: str) -> int:
    """See whether an app can be loaded, in a process of its own, which says why if it cannot."""
    command = [*_PGQUEUE, "worker", "--app", app, "--builtin", "--check"]
    return subprocess.run(command, check=False).returncode


def _reachable(host: str) -> str:
    """Return the address at which this machine reaches a server that listens on ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  not bound here


def _report_end(name: str, status: int) -> int:
    if status < 0:
        _say(f"the {name} was killed by {signal.Signals(-status).name}; stopping everything")
        return 128 - status
    _say(f"the {name} ended by itself with exit code {status}; stopping everything")
    return status or 1


def _say(text: str) -> None:
    click.echo(f"pgqueue up: {text}", err=True)


@click.command("up")
@click.option("--host", default="127.0.0.1", show_default=True, help="address of the API")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8000,
    show_default=True,
    help="port of the API; 0: any free one",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="data directory of the embedded PostgreSQL  [default: .pgqueue]",
)
@click.option(
    "--processes",
    type=parse,
    metavar=METAVAR,
    default="1",
    show_default=True,
    help="worker processes: a number, such as 4, or a range, such as 1..8, to fit the load",
)
@click.option("--app", help="app (module:name) whose types run in addition to the built-in ones")
def command(*, data_dir: Path | None, **options: Any) -> None:
    """Run PostgreSQL, API and worker in one terminal; Ctrl-C drains and stops them.

    PostgreSQL is the embedded one unless PGQUEUE_DATABASE_URL names another.
    """
    sys.exit(up(Options(data_dir=data_dir or Path(Settings().data_dir), **options)))
