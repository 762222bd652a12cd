"""``pgqueue check``: checks that everything stored is consistent."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import click
import orjson

from pgqueue.commands.address import address, data_dir_option
from pgqueue.database import migrations
from pgqueue.database.connection import connected
from pgqueue.database.queries import query

__all__ = ["Violation", "command", "violations"]


@dataclass(frozen=True, slots=True)
class Violation:
    """An inconsistency: the kind of thing, its id or name, and what is wrong with it."""

    topic: str
    subject: str
    detail: str


def violations(dsn: str) -> list[Violation]:
    """Read everything in one snapshot and return every inconsistency found.

    Takes ten to twenty seconds for each million stored tasks, and blocks nobody.

    Raises:
        DatabaseUnavailable: the database does not answer.
        SchemaMismatch: its schema is not that of this code.
    """
    with connected(dsn, "pgqueue check") as connection:
        schema = connection.execute(query("schema_version")).fetchone()
        assert schema is not None
        migrations.check(*schema)
        return [Violation(*row) for row in connection.execute(query("check")).fetchall()]


@click.command("check")
@click.option("--json", "as_json", is_flag=True, help="print the violations as JSON")
@data_dir_option
def command(*, as_json: bool, data_dir: Path | None) -> None:
    """Check that everything stored is consistent: no task lost or in two places, all counts right.

    Prints a line for each violation. The exit status is 0 if there is none, 1 otherwise.
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
