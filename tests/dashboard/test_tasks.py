"""The list of tasks: what its address says, pages by keyset, and rows that stay where they are."""

import pytest
from playwright.async_api import Locator, Page

from tests.api.worker import Worker
from tests.browser import Visitor, expect

POLL_MS = 6000
ROWS = "tbody tr"


def field(page: Page, name: str) -> Locator:
    return page.locator("form.filters").get_by_label(name, exact=True)


async def test_the_pills_filter_by_status_and_say_how_many_there_are(
    visitor: Visitor, worker: Worker
):
    done, failed = worker.enqueue(), worker.enqueue("sleep", '{"delay_ms": 1}')
    worker.claim()
    worker.finish(done)
    worker.finish(failed, "failed", retry=False, error={"type": "OSError", "message": "no route"})
    worker.enqueue(run_at="2100-01-01")
    page = await visitor.open("/ui/tasks")
    await expect(page.locator(ROWS)).to_have_count(3)
    pills = page.get_by_role("navigation", name="Status")
    for status, count in {"scheduled": 1, "failed": 1, "completed": 1, "active": 0}.items():
        await pills.get_by_role("link", name=status).click()
        await expect(page.locator(ROWS)).to_have_count(count)
        assert page.url.endswith(f"?status={status}")
        await expect(pills.locator("[aria-current]")).to_contain_text(status)
    await visitor.go(page, "/ui/tasks?status=failed")
    await expect(page.locator(ROWS)).to_contain_text("OSError: no route")
    await expect(pills.get_by_role("link", name="failed")).to_contain_text("failed 1")
    await expect(page).to_have_title("Failed tasks · pgqueue")


async def test_filters_are_in_the_address_and_go_back_and_forward_with_it(
    visitor: Visitor, worker: Worker
):
    worker.enqueue(queue="email", tags=["eu", "vip"])
    worker.enqueue("sleep", '{"delay_ms": 1}', queue="email", tags=["eu"])
    worker.enqueue(queue="reports")
    page = await visitor.open("/ui/tasks")
    await field(page, "Queue").fill("email")
    await field(page, "Queue").press("Enter")
    await expect(page.locator(ROWS)).to_have_count(2)
    await field(page, "Tag").fill("eu")
    await field(page, "Tag").press("Enter")
    await field(page, "Tag").fill("vip")
    await field(page, "Tag").press("Enter")
    await expect(page.locator(ROWS)).to_have_count(1)
    assert page.url.endswith("?queue=email&tag=eu&tag=vip")
    await page.locator("select[name=since]").select_option("1h")
    await page.wait_for_url("**/ui/tasks?*since=1h")
    await page.go_back()
    await page.go_back()
    await expect(page.locator(ROWS)).to_have_count(2)
    await page.go_forward()
    await expect(page.locator(ROWS)).to_have_count(1)
    await page.get_by_role("button", name="Remove queue email").click()
    await expect(field(page, "Queue")).to_have_value("")
    assert page.url.endswith("?tag=eu&tag=vip")
    other = await visitor.open("/ui/tasks?type=sleep&tag=eu")
    await expect(other.locator(ROWS)).to_have_count(1)
    await expect(field(other, "Type")).to_have_value("sleep")
    await field(other, "Type").focus()
    await expect(other.locator("#types option[value=noop]")).to_have_count(1)


async def test_a_filter_that_the_api_refuses_is_explained_in_place(visitor: Visitor):
    visitor.refused = {422}
    page = await visitor.open("/ui/tasks?from=yesterday")
    await expect(page.get_by_role("alert")).to_contain_text("from")
    await page.get_by_role("button", name="Remove from yesterday").click()
    await expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()


async def test_older_tasks_are_a_page_further_while_new_ones_come(visitor: Visitor, worker: Worker):
    worker.rows("select pgqueue.enqueue('noop') from generate_series(1, 120)")
    page = await visitor.open("/ui/tasks")
    await expect(page.locator(ROWS)).to_have_count(50)
    seen = await page.locator(".c-id a").evaluate_all("all => all.map(a => a.title)")
    worker.rows("select pgqueue.enqueue('noop') from generate_series(1, 60)")
    for count in (50, 20):
        await page.get_by_role("link", name="Older").click()
        await expect(page.locator(f'.c-id a[title="{seen[-1]}"]')).to_have_count(0)
        await expect(page.locator(ROWS)).to_have_count(count)
        seen += await page.locator(".c-id a").evaluate_all("all => all.map(a => a.title)")
    assert len(seen) == len(set(seen)) == 120
    await expect(page.locator(".paging")).to_contain_text("that is all")
    await page.get_by_role("link", name="Newest").click()
    await expect(page.locator(f'.c-id a[title="{seen[0]}"]')).to_have_count(0)
    await page.go_back()
    await expect(page.locator(f'.c-id a[title="{seen[-1]}"]')).to_have_count(1)


async def test_rows_change_in_place_and_new_tasks_wait_until_they_are_asked_for(
    visitor: Visitor, worker: Worker
):
    first = worker.enqueue()
    page = await visitor.open("/ui/tasks")
    await page.clock.install()
    row = page.locator(ROWS).filter(has=page.locator(f'a[title="{first}"]'))
    await expect(row).to_contain_text("queued")
    worker.claim()
    worker.enqueue()
    worker.enqueue()
    await page.clock.fast_forward(POLL_MS)
    await expect(row).to_contain_text("active")
    await expect(page.locator(ROWS)).to_have_count(1)
    await page.get_by_role("button", name="2 new tasks: show").click()
    await expect(page.locator(ROWS)).to_have_count(3)
    await expect(page.locator(".fresh")).to_have_count(0)


async def test_a_row_that_no_longer_matches_stays_and_says_so(visitor: Visitor, worker: Worker):
    id = worker.enqueue()
    page = await visitor.open("/ui/tasks?status=queued")
    await page.clock.install()
    worker.claim()
    await page.clock.fast_forward(POLL_MS)
    row = page.locator(ROWS).filter(has=page.locator(f'a[title="{id}"]'))
    await expect(row).to_have_attribute("title", "It no longer matches the filter")


async def test_the_reader_chooses_the_columns_and_a_link_keeps_them(
    visitor: Visitor, worker: Worker
):
    worker.enqueue(tags=["vip"], priority=2)
    page = await visitor.open("/ui/tasks?status=queued")
    await page.get_by_text("Columns", exact=True).first.click()
    await page.get_by_role("checkbox", name="Tags").check()
    await page.get_by_role("checkbox", name="Queue").uncheck()
    await expect(page.locator("tbody .c-tags")).to_have_text("vip")
    await expect(page.locator("tbody .c-queue")).to_have_count(0)
    other = await visitor.open(page.url.removeprefix(visitor.url))
    await expect(other.locator("tbody .c-tags")).to_have_text("vip")
    assert "status=queued" in other.url


@pytest.mark.parametrize("name", ["Queue", "Type"])
async def test_an_unknown_name_finds_nothing_and_says_so(
    visitor: Visitor, worker: Worker, name: str
):
    worker.enqueue()
    page = await visitor.open(f"/ui/tasks?{name.lower()}=unknown")
    await expect(page.get_by_role("heading", name="No such task")).to_be_visible()
