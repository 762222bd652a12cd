"""What every page has: navigation, themes, times, the dot that says whether it is live."""

import httpx
import pytest
from pgqueue_api.server import Server
from playwright.async_api import Browser

from tests.api.worker import Worker
from tests.browser import Visitor, expect

PAGES = {
    "/ui": "Overview",
    "/ui/tasks": "Tasks",
    "/ui/queues": "Queues",
    "/ui/workers": "Workers",
}


async def test_the_navigation_leads_to_every_page_and_marks_where_one_is(visitor: Visitor):
    page = await visitor.open("/ui")
    for path, title in PAGES.items():
        await page.get_by_role("navigation", name="Main").get_by_role("link", name=title).click()
        await page.wait_for_url(visitor.url + path)
        await expect(page).to_have_title(f"{title} · pgqueue")
        await expect(page.get_by_role("heading", level=1)).to_have_text(title)
        await expect(page.locator("nav [aria-current=page]")).to_have_text(title)


async def test_a_page_of_an_empty_queue_says_which_command_begins(visitor: Visitor):
    page = await visitor.open("/ui")
    await expect(page.get_by_text("Nothing has been submitted yet")).to_be_visible()
    await expect(page.locator(".empty pre")).to_contain_text(f"curl {visitor.url}/v1/tasks")
    await visitor.go(page, "/ui/tasks")
    await expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()
    await visitor.go(page, "/ui/tasks?status=failed&since=24h")
    await expect(
        page.get_by_role("heading", name="No failed task in the last 24 h")
    ).to_be_visible()
    await page.get_by_role("link", name="Show all tasks").click()
    await expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()


@pytest.mark.parametrize("width", [320, 768])
async def test_no_page_scrolls_sideways(visitor: Visitor, worker: Worker, width: int):
    id = worker.enqueue("noop", '{"a": "%s"}' % ("long" * 200), tags=["x" * 100])
    worker.claim()
    worker.log(id, "long" * 100)
    worker.finish(
        id, "failed", retry=False, error={"type": "E", "message": "y" * 500, "traceback": "z" * 500}
    )
    page = await visitor.open(viewport={"width": width, "height": 800})
    for path in (*PAGES, f"/ui/tasks/{id}", "/ui/queues/default"):
        await visitor.go(page, path)
        wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await page.evaluate(wider) == 0, path


async def test_the_choice_of_theme_and_of_times_is_remembered(visitor: Visitor, worker: Worker):
    worker.enqueue()
    page = await visitor.open("/ui/tasks", color_scheme="light", timezone_id="Asia/Tokyo")
    background = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(background)
    await page.get_by_role("button", name="Theme").click()
    await page.get_by_role("button", name="Theme").click()
    await expect(page.get_by_role("button", name="Theme")).to_contain_text("dark")
    assert await page.evaluate(background) != light
    await page.get_by_role("button", name="Times").click()
    await expect(page.get_by_role("button", name="Times")).to_contain_text("UTC+9")
    await visitor.go(page, "/ui/tasks")
    assert await page.evaluate(background) != light
    await expect(page.get_by_role("button", name="Times")).to_contain_text("UTC+9")
    await page.get_by_role("button", name="Times").click()
    await expect(page.locator("tbody time").first).to_contain_text("UTC")
    title = await page.locator("tbody time").first.get_attribute("title")
    assert "GMT+9" in title
    assert title.endswith("UTC")


async def test_the_field_at_the_top_opens_a_task_by_its_id_and_a_queue_by_its_name(
    visitor: Visitor, worker: Worker
):
    id = worker.enqueue()
    worker.rows("select pgqueue.pause('email', null, 'ada')")
    visitor.refused = {404}
    page = await visitor.open("/ui")
    field = page.get_by_role("search").get_by_role("searchbox")
    await field.fill("nothing")
    await field.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("No task or queue has this id or name")
    await field.fill("email")
    await field.press("Enter")
    await page.wait_for_url("**/ui/queues/email")
    await field.fill(f" {id} ")
    await field.press("Enter")
    await page.wait_for_url(f"**/ui/tasks/{id}")


async def test_a_page_says_that_the_api_is_away_and_goes_on_when_it_is_back(
    visitor: Visitor, worker: Worker
):
    page = await visitor.open("/ui/queues")
    await page.clock.install()
    visitor.expected = ["Failed to load resource: net::"]
    await page.context.set_offline(True)
    await page.clock.fast_forward(6000)
    dot = page.locator(".live")
    await expect(dot).to_contain_text("offline, retrying")
    await expect(page.get_by_role("alert")).to_contain_text("The API does not answer")
    worker.rows("select pgqueue.pause('email', null, 'ada')")
    await page.context.set_offline(False)
    await page.clock.fast_forward(4000)
    await expect(dot).to_have_text("live")
    await expect(page.get_by_role("row", name="email")).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_a_paused_page_asks_for_nothing_until_it_goes_on(visitor: Visitor):
    page = await visitor.open("/ui/queues")
    await page.clock.install()
    await page.locator(".live").click()
    await expect(page.locator(".live")).to_have_text("paused")
    await page.clock.fast_forward(6000)  # its timer has rung
    before = len(visitor.requests)
    await page.clock.fast_forward(60_000)
    await page.evaluate("fetch(new URL('../v1/types', location.href)).then(r => r.text())")
    assert len(visitor.requests) == before + 1
    await page.locator(".live").click()
    async with page.expect_response("**/v1/queues"):
        pass


async def test_tabs_in_the_background_open_no_stream_so_that_any_number_of_them_load(
    visitor: Visitor, worker: Worker
):
    id = worker.enqueue()
    hide = "Object.defineProperty(document, 'hidden', { get: () => !window.shown });"
    page = await visitor.open("/ui/workers")
    await page.context.add_init_script(hide)
    tabs = [await page.context.new_page() for _ in range(8)]  # six connections are all there are
    for tab in tabs:
        await visitor.go(tab, f"/ui/tasks/{id}")
        await expect(tab.get_by_role("heading", level=1)).to_contain_text("queued")
    assert not [path for path in visitor.requests if path.endswith("/events")]
    await tabs[-1].evaluate(
        "window.shown = true; document.dispatchEvent(new Event('visibilitychange'))"
    )
    worker.claim()
    await expect(tabs[-1].get_by_role("heading", level=1)).to_contain_text("active")
    assert len([path for path in visitor.requests if path.endswith("/events")]) == 1


async def test_it_works_under_a_path_of_a_proxy(chromium: Browser, served: Server, worker: Worker):
    id = worker.enqueue()
    async with httpx.AsyncClient(base_url=served.url) as upstream:
        context = await chromium.new_context()
        asked = []

        async def strip(route, request):
            path = request.url.removeprefix("http://proxy.example")
            asked.append(path)
            answer = await upstream.get(path.removeprefix("/ops/q"), headers={"accept": "*/*"})
            headers = {k: v for k, v in answer.headers.items() if not k.startswith("content-enc")}
            await route.fulfill(status=answer.status_code, body=answer.content, headers=headers)

        await context.route(lambda url: not url.endswith("/events"), strip)
        page = await context.new_page()
        await page.goto("http://proxy.example/ops/q/ui/tasks")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await page.locator("tbody .c-type a").click()
        await expect(page.locator("h1")).to_contain_text("noop")
        await expect(page).to_have_url(f"http://proxy.example/ops/q/ui/tasks/{id}")
        await page.get_by_role("link", name="Workers").click()
        await expect(page.get_by_role("row", name="host:1")).to_be_visible()
        assert [path for path in asked if not path.startswith(("/ops/q/ui", "/ops/q/v1/"))] == []
        await context.close()
