"""``app.webhooks``: the same words as in SQL."""

import pytest

from pgqueue import NotFound, PgQueue, UsageError
from tests.database.queue import Queue

URL = "https://example.com/hooks"
NONE = "01900000-0000-7000-8000-000000000000"


async def test_a_webhook_is_made_changed_and_deleted(app: PgQueue) -> None:
    hook = await app.webhooks.create(URL, queues=["email"], description="mail")
    assert hook.events == ["task.completed", "task.failed", "task.cancelled"]
    assert await app.webhooks.all() == [hook]
    changed = await app.webhooks.update(hook.id, queues=None, enabled=False)
    assert (changed.queues, changed.enabled, changed.description) == (None, False, "mail")
    assert changed.version == 2
    await app.webhooks.delete(hook.id)
    for call in (
        app.webhooks.get,
        app.webhooks.delete,
        app.webhooks.secrets,
        app.webhooks.rotate_secret,
        app.webhooks.test,
        app.webhooks.delivery,
        app.webhooks.redeliver,
    ):
        with pytest.raises(NotFound):
            await call(NONE)
    with pytest.raises(UsageError):
        await app.webhooks.create("nowhere")
    with pytest.raises(UsageError):
        await app.webhooks.get("no id")


async def test_secrets_are_given_and_replaced(app: PgQueue) -> None:
    hook = await app.webhooks.create(URL)
    for id in (hook.id, None):
        (old,) = await app.webhooks.secrets(id)
        new = await app.webhooks.rotate_secret(id, overlap=60)
        first, second = await app.webhooks.secrets(id)
        assert (first.secret, second.secret) == (new, old.secret)
        assert (first.expires_at, second.expires_at is None) == (None, False)


async def test_the_log_is_given_page_by_page(app: PgQueue, queue: Queue) -> None:
    hook = await app.webhooks.create(URL)
    worker = queue.worker()
    for _ in range(3):
        queue.finish(queue.start(worker))
    sent = await app.webhooks.deliveries(hook.id)
    assert len(sent) == 3
    assert await app.webhooks.deliveries(hook.id, limit=2) == sent[:2]
    assert await app.webhooks.deliveries(hook.id, before=sent[1].id) == sent[2:]
    assert await app.webhooks.deliveries(hook.id, status="delivered") == []
    assert await app.webhooks.deliveries() == []
    queue.rows(
        "select pgqueue_private.record_delivery(%s, 'failed', %s)", sent[0].id, '{"error": "no"}'
    )
    assert (await app.webhooks.delivery(sent[0].id)).error == "no"
    again = await app.webhooks.redeliver(sent[0].id)
    assert (again.id, again.status) == (sent[0].id, "pending")


async def test_a_callback_url_goes_with_a_task_and_a_batch(app: PgQueue, queue: Queue) -> None:
    id = await app.enqueue("t", callback_url="https://caller.example/t")
    assert (await app.get(id)).callback_url == "https://caller.example/t"
    batch = await app.batches.create("b", [{"type": "t"}], callback_url="https://caller.example/b")
    assert batch.callback_url == "https://caller.example/b"
    for lease in queue.claim(queue.worker()):
        queue.finish(lease)
    events = {delivery.event: delivery.url for delivery in await app.webhooks.deliveries()}
    assert events == {
        "task.completed": "https://caller.example/t",
        "batch.completed": "https://caller.example/b",
    }
    with pytest.raises(UsageError):
        await app.enqueue("t", callback_url="nowhere")
