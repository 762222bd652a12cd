"""Queues, a queue, and the workers that serve them."""

from tests.api.worker import Worker
from tests.browser import Visitor, expect

SAMPLE = "select pgqueue_private.sample_queues()"


async def test_a_pause_with_its_reason_is_seen_by_everybody_and_lasts_until_it_is_resumed(
    visitor: Visitor, worker: Worker
):
    worker.rows("select pgqueue.set_queue('email')")
    page, other = await visitor.open("/ui/queues/email"), await visitor.open("/ui")
    await other.clock.install()
    await page.get_by_role("button", name="Pause…").click()
    await page.get_by_role("dialog").get_by_label("Reason").fill("the provider is down")
    await page.get_by_role("dialog").get_by_role("button", name="Pause the queue").click()
    await expect(page.locator("h1")).to_contain_text("paused")
    await expect(page.locator(".notice.warn")).to_contain_text(
        "by http 127.0.0.1: the provider is down"
    )
    await other.clock.fast_forward(6000)
    attention = other.get_by_role("region", name="1 thing needs attention")
    await expect(attention).to_contain_text("the provider is down")
    await attention.get_by_role("link", name="Look").click()
    await other.wait_for_url("**/ui/queues/email")
    await other.get_by_role("button", name="Resume").click()
    await expect(other.get_by_role("button", name="Pause…")).to_be_visible()
    assert worker.value("select state from pgqueue.queues where name = 'email'") == "active"


async def test_a_dialog_that_is_left_does_nothing_and_gives_the_focus_back(
    visitor: Visitor, worker: Worker
):
    worker.rows("select pgqueue.set_queue('email')")
    page = await visitor.open("/ui/queues/email")
    await page.get_by_role("button", name="Pause…").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("button", name="Pause…")).to_be_focused()
    assert worker.value("select state from pgqueue.queues where name = 'email'") == "active"


async def test_the_numbers_of_a_queue_lead_to_its_tasks(visitor: Visitor, worker: Worker):
    for _ in range(3):
        worker.enqueue(queue="email")
    worker.claim("email", 1)
    worker.rows("select pgqueue.set_queue('email', concurrency => 4)")
    worker.rows(SAMPLE)
    page = await visitor.open("/ui/queues")
    row = page.get_by_role("row", name="email")
    await expect(row.locator(".gauge")).to_contain_text("1 / 4")
    await row.get_by_role("link", name="2", exact=True).click()
    await expect(page.locator("tbody tr")).to_have_count(2)
    assert page.url.endswith("/ui/tasks?queue=email&status=queued")
    await visitor.go(page, "/ui/queues/email")
    await expect(page.get_by_label("Settings")).to_contain_text("at most 4")
    await expect(
        page.get_by_role("region", name="Running now", exact=True).locator("tbody tr")
    ).to_have_count(1)


async def test_tasks_that_nobody_serves_want_attention(visitor: Visitor, worker: Worker):
    worker.rows("update pgqueue_private.worker set queues = '{other}'")
    worker.enqueue(queue="email")
    worker.rows(SAMPLE)
    page = await visitor.open("/ui")
    await expect(page.get_by_text("No live worker serves email: 1 task waiting")).to_be_visible()
    await visitor.go(page, "/ui/queues/email")
    await expect(page.locator(".notice.bad")).to_contain_text("pgqueue worker --queues email")
    worker.rows("update pgqueue_private.worker set queues = '{}'")
    worker.rows(SAMPLE)
    await visitor.go(page, "/ui/queues/email")
    await expect(page.locator(".notice.bad")).to_have_count(0)


async def test_a_queue_that_is_not_there_is_said_not_to_be(visitor: Visitor):
    visitor.refused = {404}
    page = await visitor.open("/ui/queues/nothing")
    await expect(page.get_by_role("alert")).to_contain_text("nothing")


async def test_a_queue_with_a_slash_in_its_name_has_a_page(visitor: Visitor, worker: Worker):
    worker.rows("select pgqueue.pause('reports/daily é', 'why', 'ada')")
    page = await visitor.open("/ui/queues")
    await page.get_by_role("link", name="reports/daily é").click()
    await expect(page.locator("h1")).to_contain_text("reports/daily é")
    await expect(page.get_by_role("button", name="Resume")).to_be_visible()


async def test_workers_are_grouped_by_supervisor_and_stopped_ones_are_shown_on_request(
    visitor: Visitor, worker: Worker
):
    worker.rows(
        "select pgqueue_private.register_worker('s2', 'host', 2, '1', '{email}', '{noop}', 4, 1000)"
    )
    page = await visitor.open("/ui/workers")
    await expect(page.get_by_role("heading", level=2)).to_have_count(2)
    row = page.get_by_role("row", name="host:2")
    await expect(row).to_contain_text("0 / 4")
    await row.get_by_role("link", name="email").focus()
    await expect(page.get_by_role("row", name="host:1")).to_contain_text("all")
    worker.rows("update pgqueue_private.worker set state = 'stopped' where pid = 2")
    await visitor.go(page, "/ui/workers")
    await expect(row).to_have_count(0)
    await page.get_by_role("checkbox").check()
    await expect(row).to_contain_text("stopped")
