"""The API of a chapter's examples, called without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from pgqueue_api.app import create_app

from pgqueue.settings import Settings


@asynccontextmanager
async def calling(database: str) -> AsyncIterator[httpx.AsyncClient]:
    """Run the API on a database, and give a client of it."""
    app = create_app(Settings(database_url=database))
    async with (
        app.lifespan(),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client,
    ):
        yield client
