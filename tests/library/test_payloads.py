"""Payloads at every door of the library: what a handler takes, and any JSON value."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, computed_field

from pgqueue import PayloadError, PgQueue, SyncClient
from tests.database.queue import Queue


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid")

    unit_price: Decimal = Field(alias="unitPrice")
    pieces: int = 1

    @computed_field
    @property
    def total(self) -> Decimal:
        return self.unit_price * self.pieces


LINES = [Line(unitPrice="1.50", pieces=3)]


async def _through_every_door(app: PgQueue, queue: Queue, type: str, payload: Any) -> list[str]:
    """Enqueue a payload in every way, and return the ids of the tasks."""
    new = {"type": type, "payload": payload}
    ids = [
        await app.enqueue(type, payload),
        *await app.enqueue_many([new]),
        (await app.enqueue_unique(type, payload, dedup_key="a")).id,
    ]
    replaced = await app.enqueue(type, LINES if type == "lines" else 0, dedup_key="b", delay=9)
    await app.enqueue(type, payload, dedup_key="b", on_conflict="replace")
    batch = await app.batches.create("b", [new], on_success=new, open=True)
    ids += [replaced, *await app.batches.add(batch.id, [new])]
    async with app.batch("filled") as filled:
        ids.append(await filled.enqueue(type, payload))
    await app.schedules.put("put", type, payload, cron="0 0 1 1 *")
    ids.append(await app.schedules.trigger("put"))
    await app.schedules.create("made", type, LINES if type == "lines" else 0, cron="0 0 1 1 *")
    await app.schedules.update("made", payload=payload)
    ids.append(await app.schedules.trigger("made"))
    with SyncClient(app._calls.dsn) as client:
        ids.append(client.enqueue(type, payload))
    await app.batches.cancel(batch.id)
    return [str(id) for id in ids]


async def test_what_is_enqueued_as_models_arrives_whatever_the_door(
    app: PgQueue, queue: Queue
) -> None:
    @app.task("lines")
    def lines(payload: list[Line]) -> None: ...

    for id in await _through_every_door(app, queue, "lines", LINES):
        (row,) = queue.rows("select payload::text from pgqueue.tasks where id = %s", id)
        assert app.types["lines"].decode(row["payload"]) == LINES
    for wrong in (
        app.enqueue("lines", [{"unitPrice": "x"}]),
        app.enqueue("lines"),
        app.batches.create("b", [{"type": "lines", "payload": 1}]),
        app.batches.create("b", [], on_success={"type": "lines", "payload": 1}),
        app.schedules.put("wrong", "lines", 1, cron="0 0 1 1 *"),
        app.schedules.update("put", payload=1),
        app.schedules.create("wrong", "lines", cron="0 0 1 1 *"),
    ):
        with pytest.raises(PayloadError):
            await wrong


@pytest.mark.parametrize("payload", [None, 0, False, "", [], "text", 1.5, [None], {"a": None}])
async def test_a_payload_is_any_json_value_whatever_the_door(
    app: PgQueue, queue: Queue, payload: Any
) -> None:
    for id in await _through_every_door(app, queue, "any", payload):
        task = await app.get(id)
        assert (task.payload, type(task.payload)) == (payload, type(payload))


async def test_a_payload_that_is_left_out_is_an_empty_object(app: PgQueue) -> None:
    ids = [await app.enqueue("t"), *await app.enqueue_many([{"type": "t"}])]
    await app.schedules.put("s", "t", cron="0 0 1 1 *")
    ids.append(await app.schedules.trigger("s"))
    assert [(await app.get(id)).payload for id in ids] == [{}, {}, {}]
