"""A user's module as `mypy --strict` reads it in `make check`: the synchronous client is typed."""

from datetime import datetime
from typing import assert_type

import psycopg

from pgqueue import (
    Batch,
    DeadLetter,
    Enqueued,
    NewTask,
    Operation,
    Preview,
    Queue,
    Schedule,
    Slot,
    Status,
    SyncBatches,
    SyncClient,
    SyncOpenBatch,
    Task,
    Webhook,
    WebhookDelivery,
)
from pgqueue.models.tasks.status import TaskId


def use(client: SyncClient, connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Use a call of each kind."""
    id = assert_type(client.enqueue("t", {"n": 1}, priority="high", connection=connection), TaskId)
    assert_type(client.enqueue_unique("t", dedup_key="k"), Enqueued)
    assert_type(client.enqueue_many(NewTask("t", n) for n in range(3)), list[TaskId])
    assert_type(client.get(id), Task)
    assert_type(client.wait(id, timeout=3.0), Task)
    assert_type(client.cancel(id), Status)
    assert_type(client.dead_letters(limit=5), list[DeadLetter])
    assert_type(client.drain("q", timeout=1), Queue)
    assert_type(client.delete_limit("acme"), bool)
    assert_type(client.operations.start("redrive", {"all": True}), Operation)
    assert_type(client.operations.preview("redrive", {"all": True}), Preview)
    assert_type(client.schedules.create("s", "t", cron="0 9 * * *"), Schedule)
    assert_type(client.schedules.slots("s"), list[Slot])
    assert_type(client.schedules.preview("0 9 * * *"), list[datetime])
    assert_type(client.webhooks.create("https://example.com"), Webhook)
    assert_type(client.webhooks.deliveries(), list[WebhookDelivery])
    assert_type(client.batches, SyncBatches)


def fill(database_url: str) -> Batch:
    """Fill a batch in a block, and wait for it."""
    with SyncClient(database_url) as client:
        assert_type(client, SyncClient)
        with client.batch("b") as batch:
            assert_type(batch, SyncOpenBatch)
            assert_type(batch.enqueue("t"), TaskId)
        return batch.wait()


def misuse(client: SyncClient) -> None:
    """Check that what is wrong is refused: strict mypy wants each of these to be an error."""
    client.enqueue("t", prioriy=3)  # type: ignore[call-arg]
    client.enqueue("t", delay="soon")  # type: ignore[arg-type]
    client.enqueue_unique("t", dedup_key="k", fairness=3)  # type: ignore[call-arg]
    client.schedules.create("s", "t", cron=9)  # type: ignore[arg-type]
    client.schedules.update("s", overlap="never")  # type: ignore[arg-type]
    NewTask("t", limit_key=7)  # type: ignore[arg-type]
    client.get(7)  # type: ignore[arg-type]
    client.wait("id", within=3)  # type: ignore[call-arg]
    client.get_task("id")  # type: ignore[attr-defined]
