"""The API of a chapter's examples, called without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.api.application import application


@asynccontextmanager
async def calling(database: str) -> AsyncIterator[httpx.AsyncClient]:
    """Run the API on a database, and give a client of it."""
    with application(database) as app:
        transport = httpx.ASGITransport(app)
        async with (
            app.lifespan(),
            httpx.AsyncClient(transport=transport, base_url="http://api") as client,
        ):
            yield client
