"""``pgqueue psql``: psql on the queue's database, with the ad-hoc queries of ``sql/inspect``.

Connects to ``PGQUEUE_DATABASE_URL``, else to the embedded server of the data directory, which is
started for the duration of the call if it does not run.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgqueue.commands.address import data_dir_option
from pgqueue.database.queries import SQL
from pgqueue.embedded import EmbeddedServer, find_binaries
from pgqueue.errors import UsageError
from pgqueue.settings import Settings

__all__ = ["command", "psql"]

_INSPECT = SQL / "inspect"

# psql takes options without an argument in front of -f, as in -Atf name.sql
_FILE_OPTION = re.compile(r"-[AEHLSXabelnqstwx01]*f|--file")
_FILE_ARGUMENT = re.compile(r"(-f|--file=)(.+)", re.DOTALL)


def psql(data_dir: Path, arguments: Sequence[str]) -> int:
    """Run psql with ``arguments``; return its exit code.

    Raises:
        UsageError: there is no psql or no such file, or neither a server nor a way to start one.
    """
    program = _program(interactive=sys.stdin.isatty() and not arguments)
    options = _find_files(arguments)
    server = None
    settings = Settings()
    url = settings.dsn() if settings.database_url is not None else None
    if url is None:
        server = EmbeddedServer(data_dir)
        url = server.running()
    if url is not None:
        command, environment = _command(program, url, options, embedded=server is not None)
        os.execve(program, command, environment)  # noqa: S606  this process becomes psql, which gets the signals
    if server is None or not (data_dir / "postgresql").exists():
        raise UsageError(
            f"there is no database in {data_dir}",
            hint="run `pgqueue up` once, pass its --data-dir, or set PGQUEUE_DATABASE_URL",
        )
    with server:
        command, environment = _command(program, server.dsn(), options, embedded=True)
        before = signal.signal(
            signal.SIGINT, lambda *_: None
        )  # psql gets it, too, and cancels the query
        try:
            return subprocess.run(command, env=environment, check=False).returncode
        finally:
            signal.signal(signal.SIGINT, before)


def _command(
    program: Path, url: str, options: Sequence[str], *, embedded: bool
) -> tuple[list[str], dict[str, str]]:
    """Return psql's arguments and its environment, which holds the password."""
    parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    environment = {"PGAPPNAME": "pgqueue psql", **os.environ}
    if embedded:  # an older psql does not know all that its address says
        parts = {name: parts[name] for name in ("host", "port", "user", "dbname")}
        for name in parts.keys() | {"hostaddr", "service", "sslmode", "targetsessionattrs"}:
            environment.pop(f"PG{name.upper()}", None)
    password = parts.pop("password", None)
    if password is not None:
        environment["PGPASSWORD"] = password
    return [str(program), f"--dbname={make_conninfo('', **parts)}", *options], environment


def _program(*, interactive: bool) -> Path:
    """Return the psql to use: the embedded one, or in a terminal the system's: it edits lines."""
    system = shutil.which("psql")
    if interactive and system:
        return Path(system)
    try:
        return find_binaries() / "psql"
    except UsageError:
        if system:
            return Path(system)
        raise


def _find_files(arguments: Sequence[str]) -> list[str]:
    """Return the arguments, with names of files in ``sql/inspect`` replaced by their paths."""
    found: list[str] = []
    for argument in arguments:
        if found and _FILE_OPTION.fullmatch(found[-1]):
            found.append(_find_file(argument))
        elif match := _FILE_ARGUMENT.fullmatch(argument):
            found.append(match[1] + _find_file(match[2]))
        else:
            found.append(argument)
    return found


def _find_file(name: str) -> str:
    if Path(name).exists() or Path(name).name != name:
        return name
    for candidate in (_INSPECT / name, _INSPECT / f"{name}.sql"):
        if candidate.is_file():
            return str(candidate)
    if name == "-":  # standard input
        return name
    known = ", ".join(sorted(file.stem for file in _INSPECT.glob("*.sql")))
    raise UsageError(f"there is no file {name!r}", hint=f"sql/inspect has {known}")


@click.command("psql", context_settings={"ignore_unknown_options": True})
@data_dir_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(*, data_dir: Path | None, arguments: tuple[str, ...]) -> None:
    """Open psql on the queue's database; ARGUMENTS are passed to psql.

    Files of sql/inspect are found by name: pgqueue psql -f queue_health
    """
    sys.exit(psql(data_dir or Path(Settings().data_dir), arguments))
