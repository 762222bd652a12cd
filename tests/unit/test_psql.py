"""`pgqueue psql` as scripts use it: through a process, with psql's own arguments."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pgqueue.commands.psql import _find_files
from pgqueue.database.migrations import migrate
from pgqueue.database.queries import SQL
from pgqueue.embedded import EmbeddedServer
from pgqueue.errors import UsageError

DRIVER = """
import sys
from pathlib import Path
from pgqueue.errors import PgQueueError
from pgqueue.commands.psql import psql

try:
    sys.exit(psql(Path(sys.argv[1]), sys.argv[2:]))
except PgQueueError as error:
    sys.exit(str(error))
"""


def psql(
    data_dir: Path, *arguments: str, said: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DRIVER, str(data_dir), *arguments],
        input=said,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_it_uses_the_server_that_runs(private_server: EmbeddedServer) -> None:
    pid = private_server.pid
    query = "select current_database(), current_setting('application_name')"
    ran = psql(private_server.data_dir, "-c", query, "-At")
    assert (ran.returncode, ran.stdout) == (0, "pgqueue|pgqueue psql\n"), ran.stderr
    assert private_server.pid == pid


def test_it_starts_the_server_for_the_time_of_the_call(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server:
        migrate(server.dsn())
    ran = psql(tmp_path, "-At", said="select count(*) from pgqueue.tasks;\n")
    assert (ran.returncode, ran.stdout) == (0, "0\n"), ran.stderr
    assert not (tmp_path / "postgresql/postmaster.pid").exists()


def test_it_uses_the_database_that_is_named(database: str, tmp_path: Path) -> None:
    query = "select to_regclass('pgqueue.tasks')"
    ran = psql(tmp_path, "-Atc", query, PGQUEUE_DATABASE_URL=database)
    assert (ran.returncode, ran.stdout) == (0, "pgqueue.tasks\n"), ran.stderr


def test_a_password_is_not_on_its_command_line(database: str, tmp_path: Path) -> None:
    ran = psql(
        tmp_path,
        "-Atc",
        "\\! tr '\\0' ' ' < /proc/$PPID/cmdline; echo; echo $PGPASSWORD",
        PGQUEUE_DATABASE_URL=f"{database} password=s3cret",
    )
    command, _, password = ran.stdout.partition("\n")
    assert "--dbname" in command
    assert "s3cret" not in command
    assert password == "s3cret\n"


def test_the_exit_code_is_that_of_psql(database: str, tmp_path: Path) -> None:
    named = {"PGQUEUE_DATABASE_URL": database}
    assert psql(tmp_path, "-c", "select nonsense", **named).returncode == 1
    ran = psql(tmp_path, "-v", "ON_ERROR_STOP=1", said="select nonsense;", **named)
    assert ran.returncode == 3


def test_without_any_database_it_says_how_to_get_one(tmp_path: Path) -> None:
    ran = psql(tmp_path / "none", "-c", "select 1")
    assert ran.returncode == 1
    assert "run `pgqueue up` once" in ran.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["-f", "{}"],
        ["-Atf", "{}"],
        ["--file", "{}"],
        ["--file={}"],
        ["-f{}"],
        ["-v", "limit=5", "-f", "{}"],
    ],
)
@pytest.mark.parametrize("suffix", ["", ".sql"])
def test_a_file_of_the_inspections_is_found_by_its_name(
    arguments: list[str], suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = next((SQL / "inspect").glob("*.sql"))
    given = [argument.format(file.stem + suffix) for argument in arguments]
    assert _find_files(given) == [argument.format(file) for argument in arguments]


def test_a_file_of_the_user_comes_before_one_of_the_inspections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = next((SQL / "inspect").glob("*.sql"))
    (tmp_path / file.name).touch()
    assert _find_files(["-f", file.name]) == ["-f", file.name]
    arguments = ["-f", "-", "-c", file.stem, "-f", "./other.sql"]
    assert _find_files(arguments) == arguments


def test_a_file_that_does_not_exist_is_answered_with_the_names_of_those_that_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="there is no file 'nosuch'") as raised:
        _find_files(["-f", "nosuch"])
    assert all(file.stem in str(raised.value.hint) for file in (SQL / "inspect").glob("*.sql"))


def test_every_inspection_runs(database: str, tmp_path: Path) -> None:
    files = sorted((SQL / "inspect").glob("*.sql"))
    named = [argument for file in files for argument in ("-f", file.stem)]
    ran = psql(tmp_path, "-v", "ON_ERROR_STOP=1", *named, PGQUEUE_DATABASE_URL=database)
    assert ran.returncode == 0, ran.stderr
