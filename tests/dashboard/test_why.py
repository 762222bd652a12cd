"""Why a task waits, on its page: the cause, its numbers, and a button where there is a remedy."""

import orjson
import pytest
from playwright.async_api import Locator, Page

from tests.api.worker import Worker
from tests.browser import Visitor, expect


@pytest.fixture
def worker(worker: Worker) -> Worker:
    worker.rows("update pgqueue_private.worker set types = '{noop}'")
    return worker


def panel(page: Page) -> Locator:
    return page.get_by_role("region", name="Why is it waiting?")


async def test_a_paused_queue_is_named_with_its_reason_and_resumed_from_here(
    visitor: Visitor, worker: Worker
):
    id = worker.enqueue()
    worker.rows("select pgqueue.pause('default', 'the provider is down', 'ada')")
    page = await visitor.open(f"/ui/tasks/{id}")
    await expect(panel(page)).to_contain_text("paused by ada")
    await expect(panel(page)).to_contain_text("the provider is down")
    await panel(page).get_by_role("button", name="Resume the queue").click()
    await expect(panel(page)).not_to_contain_text("paused by ada")
    assert worker.value("select state from pgqueue.queues where name = 'default'") == "active"


async def test_a_backoff_is_cut_short(visitor: Visitor, worker: Worker):
    id = worker.enqueue()
    worker.claim()
    worker.finish(id, "failed", delay_s=3600, error={"type": "E", "message": "no"})
    page = await visitor.open(f"/ui/tasks/{id}")
    await expect(panel(page)).to_contain_text("at the earliest")
    await panel(page).get_by_role("button", name="Retry now").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("queued")


async def test_the_tasks_that_hold_a_limit_are_linked(visitor: Visitor, worker: Worker):
    worker.enqueue()
    (holder,) = worker.claim()
    worker.rows("select pgqueue.set_queue('default', concurrency => 1)")
    id = worker.enqueue()
    page = await visitor.open(f"/ui/tasks/{id}")
    await panel(page).get_by_role("link", name=f"noop …{holder[-6:]}").click()
    await page.wait_for_url(f"**/ui/tasks/{holder}")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("active")


async def test_the_tasks_that_it_depends_on_are_linked_with_their_status(
    visitor: Visitor, worker: Worker
):
    parent = worker.enqueue()
    flow = orjson.dumps([{"type": "noop", "depends_on": [parent]}]).decode()
    id = worker.value("select ids[1]::text from pgqueue.enqueue_many(%s)", flow)
    page = await visitor.open(f"/ui/tasks/{id}")
    row = panel(page).get_by_role("listitem").filter(has_text=f"…{parent[-6:]}").last
    await expect(row).to_contain_text("queued")
    worker.claim()
    worker.finish(parent)
    worker.announce(id)
    await expect(page.get_by_role("heading", level=1)).to_contain_text("queued")


async def test_a_queue_that_nobody_serves_is_the_reason(visitor: Visitor, worker: Worker):
    id = worker.enqueue()
    worker.rows("update pgqueue_private.worker set state = 'stopped'")
    page = await visitor.open(f"/ui/tasks/{id}")
    await expect(panel(page).locator("code", has_text="no_worker")).to_be_visible()


async def test_a_later_start_has_its_time(visitor: Visitor, worker: Worker):
    id = worker.enqueue(run_at="2100-01-01T00:00:00Z")
    page = await visitor.open(f"/ui/tasks/{id}", timezone_id="UTC")
    time = panel(page).locator("time").first
    title = "1 Jan 2100, 00:00:00.000 UTC"
    await expect(time).to_have_attribute("title", f"{title} · {title}")
