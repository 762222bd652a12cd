"""The yardstick of HTTP submits: Litestar, uvicorn and a table with one row per request.

It validates nothing, notifies nobody and keeps no queue. Requests that arrive during a commit share
the next one, so that it is as fast as these libraries can be on this machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import psycopg
import uvicorn
from litestar import Litestar, get, post
from litestar.datastructures import State

from pgqueue.database.gathering import Gatherer

DSN = "BENCH_DSN"
"""Environment variable: the address of the database."""

_STORE = """
    insert into bare (payload) select * from jsonb_array_elements(%s::jsonb) returning id
"""


class Bare:
    """One process of it, and its table."""

    name = "bare Litestar"
    stored = "select count(*) from bare"

    def install(self, dsn: str) -> None:
        """Create the table."""
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("create table bare (id bigserial primary key, payload jsonb)")

    def api(self, port: int) -> list[str]:
        """Return the command of the process."""
        return [sys.executable, "-m", "bench.bare_api", str(port)]

    def environment(self, dsn: str) -> dict[str, str]:
        """Return what the command finds its database by."""
        return {DSN: dsn}


@asynccontextmanager
async def _connected(app: Litestar) -> AsyncIterator[None]:
    async with await psycopg.AsyncConnection.connect(
        os.environ[DSN], autocommit=True, prepare_threshold=0
    ) as connection:

        async def store(elements: list[bytes]) -> list[int]:
            tasks = (b"[" + b",".join(elements) + b"]").decode()
            rows = await (await connection.execute(_STORE, [tasks])).fetchall()
            return [id for (id,) in rows]

        app.state.gatherer = Gatherer(store)
        yield


@get("/readyz")
async def readyz() -> dict[str, bool]:
    """Answer once the process is ready."""
    return {"ready": True}


@post("/v1/tasks")
async def submit(data: dict[str, Any], state: State) -> dict[str, Any]:
    """Store the body, and answer after the commit."""
    id = await state.gatherer.add(orjson.dumps(data))
    return {"id": id, **data}


def main() -> None:
    """Serve on the port that is the first argument."""
    app = Litestar([readyz, submit], lifespan=[_connected], openapi_config=None)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
