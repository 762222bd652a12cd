"""``pgqueue migrate``."""

from __future__ import annotations

import click

from pgqueue.database.migrations import Plan, code_version, migrate, plan
from pgqueue.settings import Settings


@click.command("migrate")
@click.option("--dry-run", is_flag=True, help="print what would be done, and do nothing")
def command(*, dry_run: bool) -> None:
    """Bring the schema of the database up to date.

    It is safe to run at any time, and several times at once.
    """
    settings = Settings()
    # Not through a pooler: some migrations need a session.
    dsn = settings.listen_url or settings.dsn()
    if dry_run:
        _show(plan(dsn))
        return
    applied = migrate(dsn, lambda message: click.echo(message, err=True))
    click.echo("\n".join(applied) if applied else "the schema is up to date")


def _show(found: Plan) -> None:
    click.echo(f"the schema is at version {found.version}, this code has {code_version()}")
    for name in found.waiting:
        click.echo(f"would apply {name}")
    if found.replaces:
        click.echo("would replace functions and views")
    if not found.waiting and not found.replaces:
        click.echo("nothing to do")
