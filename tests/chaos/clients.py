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
from tests.chaos.call_generator import CallGenerator, DrawnCall
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


def _calls(generator: CallGenerator) -> Iterator[DrawnCall]:
    while (drawn := generator.next()) is not None:
        call, pause_s = drawn
        time.sleep(pause_s)
        yield call


def sql(generator: CallGenerator) -> None:
    """Enqueue as any language does: in transactions of one's own, some of which are rolled back."""
    connection: psycopg.Connection | None = None
    for call in _calls(generator):
        while connection is None or connection.closed:
            with suppress(psycopg.OperationalError):
                connection = psycopg.connect(os.environ["CHAOS_DIRECT"], **_BOUNDS)
                break
            time.sleep(0.2)
        generator.begin(call)
        ids: list[str] = []
        try:
            _enqueue(connection, call, ids)
            if call.rolls_back:
                connection.rollback()
                generator.end(call, "rolled back", ids)
                continue
        except psycopg.Error:
            connection.close()  # COMMIT was not sent: nothing can be stored
            generator.end(call, "fail", ids)
            continue
        try:
            connection.commit()
        except psycopg.Error:
            connection.close()
            generator.end(call, "unknown")
            continue
        generator.end(call, "ok", ids)
        if call.cancels:
            generator.begin_cancel(ids[0])
            with suppress(psycopg.Error):
                row = connection.execute("select pgqueue.cancel(%s)", [ids[0]]).fetchone()
                connection.commit()
                generator.end_cancel(ids[0], row[0])


def _enqueue(connection: psycopg.Connection, call: DrawnCall, ids: list[str]) -> None:
    if len(call.tasks) > 1:
        text = orjson.dumps(call.tasks).decode()
        row = connection.execute("select ids::text[] from pgqueue.enqueue_many(%s)", [text])
        ids += row.fetchone()[0]
        return
    for task in call.tasks:
        row = connection.execute(
            "select pgqueue.enqueue(%s, %s, priority => %s)::text",
            [task["type"], orjson.dumps(task["payload"]).decode(), task.get("priority")],
        ).fetchone()
        ids.append(row[0])


def http(generator: CallGenerator) -> None:
    """Submit over HTTP; with an Idempotency-Key an unknown call is made again until it is known."""
    with httpx.Client(base_url=os.environ["CHAOS_API"], timeout=_PATIENCE_S) as client:
        for call in _calls(generator):
            generator.begin(call)
            again = generator.chance.random() < 0.5
            end, ids = _submit(client, call, _TRIES if again else 1)
            generator.end(call, end, ids)
            if call.cancels and ids:
                generator.begin_cancel(ids[0])
                with suppress(httpx.HTTPError):
                    answer = client.post(f"/v1/tasks/{ids[0]}/cancel")
                    if answer.is_success:
                        generator.end_cancel(ids[0], answer.json()["status"])


def _submit(client: httpx.Client, call: DrawnCall, tries: int) -> tuple[End, list[str]]:
    key = {"Idempotency-Key": uuid4().hex} if tries > 1 else {}
    ends = set()
    for _ in range(tries):
        end, ids = _post(client, call, key)
        if end == "ok":
            return end, ids
        ends.add(end)
        time.sleep(0.2)
    return "unknown" if "unknown" in ends else "fail", []


def _post(client: httpx.Client, call: DrawnCall, key: dict[str, str]) -> tuple[End, list[str]]:
    try:
        if len(call.tasks) == 1:
            answer = client.post("/v1/tasks", json=call.tasks[0], headers=key)
        else:
            answer = client.post("/v1/tasks/bulk", json={"tasks": call.tasks}, headers=key)
    except httpx.ConnectError:
        return "fail", []  # nobody was there to hear it
    except httpx.HTTPError:
        return "unknown", []
    if not answer.is_success:
        return "fail" if answer.is_client_error else "unknown", []
    body = answer.json()
    if "items" not in body:
        return "ok", [body["id"]]
    if body["refused"]:
        return "unknown", []
    return "ok", [item["id"] for item in body["items"]]


async def library(generator: CallGenerator) -> None:
    """Enqueue from Python, several calls at once, so that they share commits."""
    async with asyncio.TaskGroup() as group:
        app = PgQueue(os.environ["CHAOS_PROXIED"])
        for _ in range(_AT_ONCE):
            group.create_task(_call(app, generator))


async def _call(app: PgQueue, generator: CallGenerator) -> None:
    while (drawn := generator.next()) is not None:
        call, pause_s = drawn
        await asyncio.sleep(pause_s)
        generator.begin(call)
        if call.rolls_back:
            await _roll_back(app, generator, call)
            continue
        unique = len(call.tasks) == 1 and generator.chance.random() < 0.3
        while True:
            try:
                ids = await _ask(app, call, unique=unique)
            except PgQueueError:
                if not unique:
                    generator.end(call, "unknown")
                    break
                await asyncio.sleep(0.2)  # with its key it may be asked for again
            else:
                generator.end(call, "ok", ids)
                if call.cancels:
                    await _cancel(app, generator, ids[0])
                break


async def _ask(app: PgQueue, call: DrawnCall, *, unique: bool) -> list[str]:
    if len(call.tasks) > 1:
        return await app.enqueue_many(call.tasks)
    (task,) = call.tasks
    if unique:  # whatever became of it by then
        (id, _) = await app.enqueue_unique(**task, dedup_key=call.id, dedup_window=_FOR_EVER_S)
        return [id]
    return [await app.enqueue(**task)]


async def _roll_back(app: PgQueue, generator: CallGenerator, call: DrawnCall) -> None:
    ids: list[str] = []
    with suppress(psycopg.Error, PgQueueError, _RollBack):
        connection = await psycopg.AsyncConnection.connect(os.environ["CHAOS_PROXIED"], **_BOUNDS)
        async with connection, connection.transaction():
            ids += await app.enqueue_many(call.tasks, connection=connection)
            raise _RollBack
    generator.end(call, "rolled back", ids)


async def _cancel(app: PgQueue, generator: CallGenerator, id: str) -> None:
    generator.begin_cancel(id)
    with suppress(PgQueueError):
        generator.end_cancel(id, await app.cancel(id))


def main(kind: str, name: str, seed: str, *numbers: str) -> None:
    """Ask for tasks until that was all."""
    tasks, rate, slow = map(float, numbers)
    chance = random.Random(f"{seed}/{name}")
    pen = Pen(Path(os.environ["CHAOS_HISTORIES"]), CALLS, name)
    rolls_back = 0 if kind == "http" else _ROLLED_BACK
    generator = CallGenerator(name, pen, int(tasks), rate, chance, slow, rolls_back)
    match kind:
        case "sql":
            sql(generator)
        case "http":
            http(generator)
        case "library":
            asyncio.run(library(generator))


if __name__ == "__main__":
    main(*sys.argv[1:])
