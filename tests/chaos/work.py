"""The app under the nemesis: its handlers write down that they ran, its workers what was accepted.

What they write is no part of the database under test, see tests/chaos/histories.py. Only in the
worker processes that import this is the library wrapped, to hear which completions it was told of.
"""

import asyncio
import os
import threading
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from pgqueue_worker.reports.completion import Completion

from pgqueue import Backoff, Context, PgQueue, Snooze
from pgqueue.database.link import Link
from tests.chaos.histories import WORK, Pen

AGAIN = Backoff(kind="fixed", base=0.5)
MANY = 50  # a database that is away costs attempts of handlers that need it

app = PgQueue()


class Planned(Exception):
    """The failure that a task was asked for."""


@cache
def pen() -> Pen:
    return Pen(Path(os.environ["CHAOS_HISTORIES"]), WORK, f"{os.getpid()}")


def begin(ctx: Context, payload: dict[str, Any]) -> None:
    pen().write(what="start", task=ctx.task_id, lease=ctx.lease_id, key=payload["key"])
    if ctx.attempt <= payload.get("fails", 0):
        raise Planned


def end(ctx: Context, payload: dict[str, Any]) -> int | None:
    """The last thing that a handler does; some return their lease, others nothing to keep."""
    pen().write(what="end", task=ctx.task_id, lease=ctx.lease_id)
    return ctx.lease_id if payload.get("result") else None


@app.task("work", max_attempts=MANY, backoff=AGAIN)
async def work(ctx: Context, payload: dict[str, Any]) -> int | Snooze | None:
    begin(ctx, payload)
    if "snooze" in payload and ctx.last_checkpoint is None:
        await ctx.checkpoint("snoozed")
        return Snooze(payload["snooze"])
    await asyncio.sleep(payload["seconds"])
    return end(ctx, payload)


@app.task("threaded", max_attempts=MANY, backoff=AGAIN)
def threaded(ctx: Context, payload: dict[str, Any]) -> int | None:
    begin(ctx, payload)
    threading.Event().wait(payload["seconds"])
    return end(ctx, payload)


@app.task("effect", max_attempts=MANY, backoff=AGAIN)
async def effect(ctx: Context, payload: dict[str, Any]) -> None:
    begin(ctx, payload)
    async with ctx.transaction() as connection:
        await connection.execute(
            "insert into effect (task_id, lease_id) values (%s, %s)", (ctx.task_id, ctx.lease_id)
        )
        await asyncio.sleep(payload["seconds"])
        ctx.set_result(end(ctx, payload))


def accepted(task_id: str, lease_id: int) -> None:
    pen().write(what="accepted", task=task_id, lease=lease_id)


def hear_what_is_accepted() -> None:
    ask, complete = Link.rows, Completion.completed

    async def rows(self: Link, name: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        answer = await ask(self, name, parameters)
        if name == "finish_attempts":
            refused = set(answer[0][0])
            for task_id, lease_id in _completions(parameters):
                if lease_id not in refused:
                    accepted(task_id, lease_id)
        return answer

    def completed(self: Completion, *, watched: bool) -> None:
        complete(self, watched=watched)
        accepted(self.task_id, self.lease_id)

    Link.rows, Completion.completed = rows, completed


def _completions(parameters: dict[str, str]) -> list[tuple[str, int]]:
    plain = zip(_array(parameters["task_ids"]), _array(parameters["lease_ids"]), strict=True)
    return [(task_id, int(lease_id)) for task_id, lease_id in plain] + [
        (result["task_id"], result["lease_id"])
        for result in orjson.loads(parameters["results"])
        if result["outcome"] == "completed"
    ]


def _array(text: str) -> list[str]:
    return text.strip("{}").split(",") if text != "{}" else []


if "CHAOS_HISTORIES" in os.environ:
    hear_what_is_accepted()
