"""Which database a command works on."""

from __future__ import annotations

from pathlib import Path

import click

from pgqueue.embedded import EmbeddedServer
from pgqueue.errors import UsageError
from pgqueue.settings import Settings

__all__ = ["address", "data_dir_option"]

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="where the embedded PostgreSQL keeps its data  [default: .pgqueue]",
)


def address(data_dir: Path | None) -> str:
    """Give the address of ``PGQUEUE_DATABASE_URL``, else of the embedded server that runs.

    Raises:
        UsageError: no database is named, and no server runs over the data directory.
    """
    settings = Settings()
    if data_dir is None and settings.database_url is not None:
        return settings.database_url
    folder = data_dir or Path(settings.data_dir)
    url = EmbeddedServer(folder).running()
    if url is None:
        message = f"no database is named, and none runs in {folder}"
        raise UsageError(
            message,
            hint="set PGQUEUE_DATABASE_URL, name the --data-dir, or start it with `pgqueue up`",
        )
    return url
