"""Fixtures for every test: a server for the run, a migrated database for each test."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import hypothesis
import psycopg
import pytest

from pgqueue.database.migrations import migrate
from pgqueue.embedded import EmbeddedServer
from tests import servers
from tests.pooler import Pooler, pgbouncer

pytest_plugins = ["pytest_pgqueue", "tests.figures"]

_OF_A_DATABASE = {"pgqueue_server", "pgqueue_app", "private_server"}

_PATIENCE_S = 45
_MAX_NODE_ID = 2_000
_PROGRAMS = ("pgbouncer", "faketime", "chromium", "root")  # the names of markers, too

# The same examples in every run; tests/property looks for others.
hypothesis.settings.register_profile("pgqueue", deadline=None, derandomize=True)
hypothesis.settings.load_profile("pgqueue")

# What the user of this shell set for their own pgqueue is not for the tests.
for _name in [*os.environ]:
    if _name.startswith(("PGQUEUE_", "OTEL_")) and not _name.startswith("PGQUEUE_TEST_"):
        del os.environ[_name]

# A shell without job control has what it starts in the background ignore Ctrl-C, and nohup has it
# ignore the end of the terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Images of containers forbid it: each process that a test starts would compile pgqueue anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres",
        default=os.environ.get("PGQUEUE_TEST_POSTGRES", "18"),
        metavar="MAJOR",
        help="the major version of PostgreSQL to test on (15 to 18)",
    )

    parser.addoption(
        "--pooler",
        choices=["pgbouncer"],
        help="reach the database of each test through a pooler in transaction mode",
    )
    parser.addoption(
        "--without",
        action="append",
        default=[],
        choices=_PROGRAMS,
        help="leave out the tests that need this program: `make` says so where it is missing",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    without = set(config.getoption("--without"))
    left_out = [i for i in items if without & {mark.name for mark in i.iter_markers()}]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    for item in items:
        # It is in the environment of whatever a test starts, which may refuse 128 KiB.
        assert len(item.nodeid) < _MAX_NODE_ID, f"shorten the id of {item.nodeid[:200]}"
        if _OF_A_DATABASE & set(getattr(item, "fixturenames", ())):
            item.add_marker("database")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_major(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--postgres"))


@pytest.fixture(scope="session")
def pgqueue_server(postgres_major: str) -> Iterator[servers.Server]:
    """The server of this run. Ask for `database` unless you need databases of your own."""
    binaries = partial(servers.binaries, postgres_major)
    with servers.any_server(postgres_major, binaries) as server:
        assert server.major() == postgres_major, "the tests run on another version than asked for"
        yield server


@pytest.fixture(scope="session")
def server(pgqueue_server: servers.Server) -> servers.Server:
    return pgqueue_server


@pytest.fixture(scope="session")
def template(pgqueue_template: str) -> str:
    """What the database of each test is a copy of."""
    return pgqueue_template


@pytest.fixture(scope="session")
def template_of_two_days(pgqueue_server: servers.Server, pgqueue_template: str) -> Iterator[str]:
    """A template with the partitions of today and tomorrow alone.

    A copy of it takes two thirds of the time, and whatever reads all days less than half. It is not
    for tests with a worker, whose maintenance makes the other days.
    """
    name = pgqueue_server.create(pgqueue_template)
    with psycopg.connect(pgqueue_server.dsn(name), autocommit=True) as connection:
        later = """
            select format('drop table pgqueue_private.%I', f.name || to_char(day, '_YYYYMMDD'))
            from pgqueue_private.facts() as f,
                generate_series(current_date + 2, current_date + 7, '1 day') as day
        """
        connection.execute("set timezone to 'UTC'")
        for (statement,) in connection.execute(later).fetchall():
            connection.execute(statement)
    yield name
    pgqueue_server.drop(name)


@pytest.fixture
def pgqueue_database(pgqueue_server: servers.Server, template: str) -> Iterator[str]:
    name = pgqueue_server.create(template)
    yield pgqueue_server.dsn(name)
    pgqueue_server.drop(name)


@pytest.fixture(scope="session")
def pooler(
    request: pytest.FixtureRequest, pgqueue_server: servers.Server
) -> Iterator[Pooler | None]:
    """The PgBouncer of this run, with --pooler."""
    if request.config.getoption("--pooler") is None:
        yield None
        return
    with pgbouncer(pgqueue_server.admin) as pooler:
        yield pooler


def assert_nothing_stranded(direct: str) -> None:
    """Nobody has left a lock or a transaction in the sessions that the pooler keeps."""
    left = """
        select a.pid, a.state, l.locktype, l.mode
        from pg_stat_activity as a
        left join pg_locks as l on l.pid = a.pid and l.locktype = 'advisory'
        where a.datname = current_database() and a.pid <> pg_backend_pid()
            and (l.pid is not null or a.state like 'idle in transaction%')
    """
    with psycopg.connect(direct, autocommit=True) as connection:
        deadline = time.monotonic() + _PATIENCE_S
        while stranded := connection.execute(left).fetchall():
            if time.monotonic() > deadline:
                pytest.fail(f"left behind the pooler: {stranded}")
            time.sleep(0.05)


@pytest.fixture
def direct(pgqueue_database: str) -> str:
    """The address of this test's database, without a pooler in any case."""
    return pgqueue_database


@pytest.fixture
def database(
    request: pytest.FixtureRequest,
    direct: str,
    pooler: Pooler | None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """The address of a migrated database of this test's own; with --pooler, the pooler's.

    Those who listen find the direct one in PGQUEUE_LISTEN_URL.
    """
    if pooler is None or request.node.get_closest_marker("unpooled"):
        yield direct
        return
    monkeypatch.setenv("PGQUEUE_LISTEN_URL", direct)
    yield pooler.through(direct)
    assert_nothing_stranded(direct)


@pytest.fixture
def connect(database: str, direct: str) -> Iterator[Callable[..., psycopg.Connection]]:
    """Open connections to `database`, in autocommit mode, closed after the test.

    ``session=True`` gives a session of its own, to listen or to be looked at, past any pooler.
    """
    opened: list[psycopg.Connection] = []

    def connect(*, session: bool = False, **options: object) -> psycopg.Connection:
        if database != direct and not session:
            options = {"prepare_threshold": None, **options}
        address = direct if session else database
        opened.append(psycopg.connect(address, **{"autocommit": True, **options}))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture(scope="session")
def data_dir_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory of `pgqueue up`, migrated, to be copied with ``cp -a`` instead of made."""
    directory = tmp_path_factory.mktemp("made") / "data"
    with EmbeddedServer(directory) as server:
        migrate(server.dsn())
    return directory


@pytest.fixture
def private_server(
    tmp_path_factory: pytest.TempPathFactory, postgres_major: str
) -> Iterator[EmbeddedServer]:
    """A migrated server of this test's own, with fsync on, to stop, kill and start again."""
    directory = tmp_path_factory.mktemp("private")
    settings = {"shared_buffers": "64MB"}
    with servers.own_server(directory, postgres_major, settings) as server:
        migrate(server.dsn())
        yield server
