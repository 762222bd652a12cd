"""``pgqueue api``."""

from __future__ import annotations

import click

from pgqueue.settings import Settings
from pgqueue_api.server import serve

__all__ = ["command"]


@click.command("api", help="Serve the HTTP API.")
@click.option("--host", default="127.0.0.1", show_default=True, help="address to listen on")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="port to listen on",
)
def command(host: str, port: int) -> None:
    """Serve the HTTP API until SIGINT, SIGTERM or SIGHUP."""
    serve(host, port, Settings())
