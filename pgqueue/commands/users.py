"""``pgqueue users``: who may use the HTTP API."""

from __future__ import annotations

import socket
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
import orjson

from pgqueue.commands.address import address, data_dir_option
from pgqueue.commands.output import table
from pgqueue.credentials import hash_password
from pgqueue.database.connection import connected, translated
from pgqueue.database.queries import query
from pgqueue.errors import NotFound, UsageError
from pgqueue.models.access import Role
from pgqueue.processes import shell_user

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

__all__ = ["command", "database", "user_id"]

_COLUMNS = ("id", "email", "role", "enabled", "has_password", "name", "created_at")


@click.group("users")
def command() -> None:
    """Add, list, disable and enable users of the HTTP API.

    With the first user, the API asks everyone who they are.
    """


_password_file = click.option(
    "--password-file",
    type=click.File("r"),
    help="read the password from a file, or with - from standard input  [default: ask for it]",
)


@command.command("add")
@click.argument("email")
@click.option(
    "--role",
    type=click.Choice(get_args(Role)),
    help="what they may do  [default: viewer]",
)
@click.option("--admin", is_flag=True, help="the same as --role admin")
@click.option("--name", default="", help="what they are called")
@click.option("--no-password", is_flag=True, help="they have only API keys")
@_password_file
@data_dir_option
def add(
    *,
    email: str,
    role: Role | None,
    admin: bool,
    name: str,
    no_password: bool,
    password_file: Any,
    data_dir: Path | None,
) -> None:
    """Add the user EMAIL."""
    if admin and role not in (None, "admin"):
        raise UsageError(f"--admin and --role {role} contradict each other")
    hashed = None if no_password else hash_password(_password(password_file))
    user = {
        "email": email,
        "role": "admin" if admin else role or "viewer",
        "name": name,
        "password_hash": hashed,
    }
    with database(data_dir, "add_user", email) as connection:
        (id,) = connection.execute(query("add_user"), user).fetchone() or (None,)
    click.echo(f"added user {id}, {email.lower()}: {user['role']}")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@data_dir_option
def list_(*, as_json: bool, data_dir: Path | None) -> None:
    """List the users."""
    with database(data_dir) as connection:
        rows = connection.execute(query("list_users"), {"id": None}).fetchall()
    table([orjson.loads(item) for _, item in rows], _COLUMNS, as_json=as_json)


@command.command("disable")
@click.argument("email")
@data_dir_option
def disable(*, email: str, data_dir: Path | None) -> None:
    """Sign the user EMAIL out, and have their keys not work any more."""
    _change(email, data_dir, enabled=False)
    click.echo(f"disabled {email.lower()}")


@command.command("enable")
@click.argument("email")
@data_dir_option
def enable(*, email: str, data_dir: Path | None) -> None:
    """Let the user EMAIL in again."""
    _change(email, data_dir, enabled=True)
    click.echo(f"enabled {email.lower()}")


@command.command("reset")
@click.argument("email")
@_password_file
@data_dir_option
def reset(*, email: str, password_file: Any, data_dir: Path | None) -> None:
    """Replace the password of the user EMAIL, and end their sessions."""
    hashed = hash_password(_password(password_file))
    with database(data_dir, "set_password", email) as connection:
        changed = {"user_id": user_id(connection, email), "password_hash": hashed}
        connection.execute(query("set_password"), {**changed, "kept_sha256": None})
    click.echo(f"changed the password of {email.lower()}")


@contextmanager
def database(
    data_dir: Path | None, action: str | None = None, object: str = ""
) -> Iterator[psycopg.Connection[Any]]:
    """Lend a connection; what PostgreSQL refuses is an error of ours.

    ``action``: the change that is about to be made, for the audit trail.
    """
    with connected(address(data_dir), "pgqueue users") as connection, translated():
        if action is not None:
            connection.execute(query("audit_asked"), _by_command(action, object))
        yield connection


def _by_command(action: str, object: str) -> dict[str, Any]:
    return {
        "user_id": 0,
        "actor": f"{shell_user()}@{socket.gethostname()}",
        "via": "command",
        "key_id": None,
        "action": action,
        "object": object,
        "address": None,
        "status": None,
    }


def user_id(connection: psycopg.Connection[Any], email: str) -> int:
    """Return the id of a user; ``NotFound`` if there is none."""
    row = connection.execute(query("find_user"), {"email": email}).fetchone()
    if row is None:
        raise NotFound(f"there is no user {email[:100]!r}", hint="`pgqueue users list` lists them")
    id: int = row[0]
    return id


def _change(email: str, data_dir: Path | None, *, enabled: bool) -> None:
    with database(data_dir, "patch_user", email) as connection:
        settings = orjson.dumps({"enabled": enabled}).decode()
        connection.execute(
            query("patch_user"),
            {"id": user_id(connection, email), "settings": settings, "versions": None},
        )


def _password(file: Any) -> str:
    if file is not None:
        return str(file.read()).strip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask for a password",
            hint="pass --password-file FILE, --password-file - or --no-password",
        )
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
