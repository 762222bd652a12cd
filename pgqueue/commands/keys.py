"""``pgqueue keys``: the API keys of users."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import orjson

from pgqueue import credentials
from pgqueue.commands.address import data_dir_option
from pgqueue.commands.output import table
from pgqueue.commands.users import database, user_id
from pgqueue.database.queries import query
from pgqueue.errors import NotFound
from pgqueue.models.access import SCOPES

__all__ = ["command"]

_COLUMNS = (
    *("id", "email", "name", "scopes", "queues", "types"),
    *("created_at", "expires_at", "revoked_at", "last_used_on"),
)


@click.group("keys")
def command() -> None:
    """Create, list and revoke API keys.

    A program sends its key as Authorization: Bearer pgq_…
    """


@command.command("create")
@click.argument("name")
@click.option("--user", "email", required=True, help="whose key it is: an e-mail address")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(SCOPES),
    help="what it may do, as far as its user may; repeat for several",
)
@click.option("--queue", "queues", multiple=True, help="submit to this queue only; may repeat")
@click.option("--type", "types", multiple=True, help="submit this type only; may repeat")
@click.option(
    "--days", type=click.FloatRange(min=0, min_open=True), help="how long it works  [default: ever]"
)
@data_dir_option
def create(
    *,
    name: str,
    email: str,
    scopes: tuple[str, ...],
    queues: tuple[str, ...],
    types: tuple[str, ...],
    days: float | None,
    data_dir: Path | None,
) -> None:
    """Create a key called NAME, and print it: it is not shown again."""
    key = credentials.new_api_key()
    with database(data_dir, "create_key", key.id) as connection:
        connection.execute(
            query("create_api_key"),
            {
                "id": key.id,
                "secret_sha256": credentials.sha256(key.secret),
                "user_id": user_id(connection, email),
                "name": name,
                "scopes": sorted(set(scopes)),
                "queues": [*queues] or None,
                "types": [*types] or None,
                "expires_at": None if days is None else datetime.now(UTC) + timedelta(days=days),
            },
        )
    click.echo(key.text)


@command.command("list")
@click.option("--user", "email", help="only those of this user")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@data_dir_option
def list_(*, email: str | None, as_json: bool, data_dir: Path | None) -> None:
    """List the keys, without their secrets."""
    with database(data_dir) as connection:
        owner = None if email is None else user_id(connection, email)
        rows = connection.execute(query("list_api_keys"), {"user_id": owner, "id": None}).fetchall()
    table([orjson.loads(item) for (item,) in rows], _COLUMNS, as_json=as_json)


@command.command("revoke")
@click.argument("id")
@data_dir_option
def revoke(*, id: str, data_dir: Path | None) -> None:
    """Revoke the key ID, which `pgqueue keys list` shows: it stops working at once."""
    id = id.removeprefix("pgq_")[:12]  # the whole key is understood, too
    with database(data_dir, "revoke_key", id) as connection:
        row = connection.execute(query("revoke_api_key"), {"id": id, "user_id": None}).fetchone()
    if not (row and row[0]):
        raise NotFound(f"there is no key {id!r} that works", hint="`pgqueue keys list` lists them")
    click.echo(f"revoked {id}")
