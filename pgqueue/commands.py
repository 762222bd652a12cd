"""``pgqueue migrate``."""

from __future__ import annotations

import click

from pgqueue.migrations import migrate
from pgqueue.settings import Settings


@click.command("migrate")
def command() -> None:
    """Bring the database's schema up to date; safe at any time, by any number of callers."""
    applied = migrate(Settings().dsn())
    click.echo("\n".join(applied) if applied else "the schema is up to date")
