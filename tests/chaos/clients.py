"""The clients of the nemesis, each a process that may be killed in the middle of a call.

``python -m tests.chaos.clients library|http|sql NAME SEED TASKS RATE SLOW``. An answer makes a call
ok, an error that proves that nothing was stored makes it fail, all else leaves it unknown.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import httpx
import orjson
import psycopg

from pgqueue import PgQueue
from pgqueue.errors import PgQueueError
from tests.chaos.asking import Asked, Asker
from tests.chaos.histories import CALLS, Pen
from tests.chaos.ledger import End

_AT_ONCE = 4
_PATIENCE_S = 20
_ROLLED_BACK = 0.1
_TRIES = 50
_FOR_EVER_S = 86_400
_BOUNDS = {"connect_timeout": 5, "options": "-c statement_timeout=15000"}


class _RollBack(Exception):
    """Ends a transaction without a commit."""


def _calls(asker: Asker) -> Iterator[Asked]:
    while (drawn := asker.next()) is not None:
        asked, pause_s = drawn
        time.sleep(pause_s)
        yield asked


def sql(asker: Asker) -> None:
    """Enqueue as any language does: in transactions of one's own, some of which are rolled back."""
    connection: psycopg.Connection | None = None
    for asked in _calls(asker):
        while connection is None or connection.closed:
            with suppress(psycopg.OperationalError):
                connection = psycopg.connect(os.environ["CHAOS_DIRECT"], **_BOUNDS)
                break
            time.sleep(0.2)
        asker.begin(asked)
        ids: list[str] = []
        try:
            _enqueue(connection, asked, ids)
            if asked.rolls_back:
                connection.rollback()
                asker.end(asked, "rolled back", ids)
                continue
        except psycopg.Error:
            connection.close()  # COMMIT was not sent: nothing can be stored
            asker.end(asked, "fail", ids)
            continue
        try:
            connection.commit()
        except psycopg.Error:
            connection.close()
            asker.end(asked, "unknown")
            continue
        asker.end(asked, "ok", ids)
        if asked.cancels:
            asker.begin_cancel(ids[0])
            with suppress(psycopg.Error):
                row = connection.execute("select pgqueue.cancel(%s)", [ids[0]]).fetchone()
                connection.commit()
                asker.end_cancel(ids[0], row[0])


def _enqueue(connection: psycopg.Connection, asked: Asked, ids: list[str]) -> None:
    if len(asked.tasks) > 1:
        text = orjson.dumps(asked.tasks).decode()
        row = connection.execute("select ids::text[] from pgqueue.enqueue_many(%s)", [text])
        ids += row.fetchone()[0]
        return
    for task in asked.tasks:
        row = connection.execute(
            "select pgqueue.enqueue(%s, %s, priority => %s)::text",
            [task["type"], orjson.dumps(task["payload"]).decode(), task.get("priority")],
        ).fetchone()
        ids.append(row[0])


def http(asker: Asker) -> None:
    """Submit over HTTP; with an Idempotency-Key an unknown call is made again until it is known."""
    with httpx.Client(base_url=os.environ["CHAOS_API"], timeout=_PATIENCE_S) as client:
        for asked in _calls(asker):
            asker.begin(asked)
            again = asker.chance.random() < 0.5
            end, ids = _submit(client, asked, _TRIES if again else 1)
            asker.end(asked, end, ids)
            if asked.cancels and ids:
                asker.begin_cancel(ids[0])
                with suppress(httpx.HTTPError):
                    answer = client.post(f"/v1/tasks/{ids[0]}/cancel")
                    if answer.is_success:
                        asker.end_cancel(ids[0], answer.json()["status"])


def _submit(client: httpx.Client, asked: Asked, tries: int) -> tuple[End, list[str]]:
    key = {"Idempotency-Key": uuid4().hex} if tries > 1 else {}
    ends = set()
    for _ in range(tries):
        end, ids = _post(client, asked, key)
        if end == "ok":
            return end, ids
        ends.add(end)
        time.sleep(0.2)
    return "unknown" if "unknown" in ends else "fail", []


def _post(client: httpx.Client, asked: Asked, key: dict[str, str]) -> tuple[End, list[str]]:
    try:
        if len(asked.tasks) == 1:
            answer = client.post("/v1/tasks", json=asked.tasks[0], headers=key)
        else:
            answer = client.post("/v1/tasks/bulk", json={"tasks": asked.tasks}, headers=key)
    except httpx.ConnectError:
        return "fail", []  # nobody was there to hear it
    except httpx.HTTPError:
        return "unknown", []
    if not answer.is_success:
        return "fail" if answer.is_client_error else "unknown", []
    told = answer.json()
    if "items" not in told:
        return "ok", [told["id"]]
    if told["refused"]:
        return "unknown", []
    return "ok", [item["id"] for item in told["items"]]


async def library(asker: Asker) -> None:
    """Enqueue from Python, several calls at once, so that they share commits."""
    async with asyncio.TaskGroup() as group:
        app = PgQueue(os.environ["CHAOS_PROXIED"])
        for _ in range(_AT_ONCE):
            group.create_task(_call(app, asker))


async def _call(app: PgQueue, asker: Asker) -> None:
    while (drawn := asker.next()) is not None:
        asked, pause_s = drawn
        await asyncio.sleep(pause_s)
        asker.begin(asked)
        if asked.rolls_back:
            await _roll_back(app, asker, asked)
            continue
        unique = len(asked.tasks) == 1 and asker.chance.random() < 0.3
        while True:
            try:
                ids = await _ask(app, asked, unique=unique)
            except PgQueueError:
                if not unique:
                    asker.end(asked, "unknown")
                    break
                await asyncio.sleep(0.2)  # with its key it may be asked for again
            else:
                asker.end(asked, "ok", ids)
                if asked.cancels:
                    await _cancel(app, asker, ids[0])
                break


async def _ask(app: PgQueue, asked: Asked, *, unique: bool) -> list[str]:
    if len(asked.tasks) > 1:
        return await app.enqueue_many(asked.tasks)
    (task,) = asked.tasks
    if unique:  # whatever became of it by then
        (id, _) = await app.enqueue_unique(**task, dedup_key=asked.id, dedup_window=_FOR_EVER_S)
        return [id]
    return [await app.enqueue(**task)]


async def _roll_back(app: PgQueue, asker: Asker, asked: Asked) -> None:
    ids: list[str] = []
    with suppress(psycopg.Error, PgQueueError, _RollBack):
        connection = await psycopg.AsyncConnection.connect(os.environ["CHAOS_PROXIED"], **_BOUNDS)
        async with connection, connection.transaction():
            ids += await app.enqueue_many(asked.tasks, connection=connection)
            raise _RollBack
    asker.end(asked, "rolled back", ids)


async def _cancel(app: PgQueue, asker: Asker, id: str) -> None:
    asker.begin_cancel(id)
    with suppress(PgQueueError):
        asker.end_cancel(id, await app.cancel(id))


def main(kind: str, name: str, seed: str, *numbers: str) -> None:
    """Ask for tasks until that was all."""
    tasks, rate, slow = map(float, numbers)
    chance = random.Random(f"{seed}/{name}")
    pen = Pen(Path(os.environ["CHAOS_HISTORIES"]), CALLS, name)
    rolls_back = 0 if kind == "http" else _ROLLED_BACK
    asker = Asker(name, pen, int(tasks), rate, chance, slow, rolls_back)
    match kind:
        case "sql":
            sql(asker)
        case "http":
            http(asker)
        case "library":
            asyncio.run(library(asker))


if __name__ == "__main__":
    main(*sys.argv[1:])
