"""``pgqueue check``: whether all that is stored agrees."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import click
import orjson
import psycopg

from pgqueue.commands.address import address, data_dir_option
from pgqueue.database import migrations
from pgqueue.database.connection import connection_arguments, translated
from pgqueue.database.queries import query

__all__ = ["Violation", "command", "violations"]


@dataclass(frozen=True, slots=True)
class Violation:
    """Something stored that does not agree with the rest: its kind, its id or name, and how."""

    topic: str
    subject: str
    detail: str


def violations(dsn: str) -> list[Violation]:
    """Read everything, in one snapshot, and give what does not agree; nothing when all is sound.

    Takes ten to twenty seconds for each million of tasks that is kept; nobody waits for it.

    Raises:
        DatabaseUnavailable: the database does not answer.
        SchemaMismatch: it has another schema than that of this code.
    """
    with (
        translated(),
        psycopg.connect(dsn, **connection_arguments("pgqueue check")) as connection,
    ):
        schema = connection.execute(query("schema_version")).fetchone()
        assert schema is not None
        migrations.check(*schema)
        return [Violation(*row) for row in connection.execute(query("check")).fetchall()]


@click.command("check")
@click.option("--json", "as_json", is_flag=True, help="print the violations as JSON")
@data_dir_option
def command(*, as_json: bool, data_dir: Path | None) -> None:
    """Say whether all that is stored agrees: each task in one place, nothing lost, counts right.

    Ends with status 0 when the queue is sound, 1 when something does not agree: a line for each.
    """
    found = violations(address(data_dir))
    if as_json:
        text = orjson.dumps([asdict(one) for one in found], option=orjson.OPT_INDENT_2)
        click.echo(text.decode())
    elif not found:
        click.echo("sound")
    else:
        for one in found:
            click.echo(f"{one.topic:12}  {one.subject}  {one.detail}")
    raise SystemExit(bool(found))
