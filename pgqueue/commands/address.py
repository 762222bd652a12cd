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
    help="data directory of the embedded PostgreSQL  [default: .pgqueue]",
)


def address(data_dir: Path | None) -> str:
    """Return ``PGQUEUE_DATABASE_URL``, else the address of the running embedded server.

    Raises:
        UsageError: no database is named, and no server runs on the data directory.
    """
    settings = Settings()
    if data_dir is None and settings.database_url is not None:
        return settings.dsn()
    folder = data_dir or Path(settings.data_dir)
    url = EmbeddedServer(folder).running()
    if url is None:
        raise UsageError(
            f"no database is named, and none runs in {folder}",
            hint="set PGQUEUE_DATABASE_URL, pass --data-dir, or start one with `pgqueue up`",
        )
    return url
