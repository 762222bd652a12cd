"""Every page passes axe, full and empty, light and dark, and works without a mouse."""

from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.api.worker import Worker
from tests.browser import Visitor, expect

AXE = (Path(__file__).parent / "vendor/axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async (rules) => {
  const { violations } = await axe.run(document, { runOnly: rules });
  const told = (v, n) => `${v.id}: ${n.target} ${n.failureSummary.split("\\n")[1]}`;
  return violations.flatMap((v) => v.nodes.map((n) => told(v, n)));
}"""

FOCUSED = """() => {
  const { textContent, ariaLabel } = document.activeElement;
  return (textContent || ariaLabel || "").trim();
}"""
SMALL = """() => [
  ...document.querySelectorAll("button, select, input, summary, .button, .filter-pill, nav a"),
].filter((e) => e.checkVisibility() && !e.matches(".sr-until-focus, input[type=checkbox]"))
  .filter((e) => e.getBoundingClientRect().height < 24).map((e) => e.outerHTML)"""


async def violations(page: Page) -> list[str]:
    await page.evaluate(AXE)
    return await page.evaluate(RUN, RULES)


def fill(worker: Worker) -> list[str]:
    """Make something of everything, and return the paths of the pages that show it."""
    failed, active, waiting = (worker.enqueue(tags=["vip"]) for _ in range(3))
    worker.claim(max_tasks=2)
    worker.log(failed, "connecting", host="smtp")
    worker.text(failed, "Once upon a time")
    worker.save_artifact(failed, "sum.json", b"{}", "application/json")
    error = {"type": "OSError", "message": "no route", "traceback": "File shop.py"}
    worker.finish(failed, "failed", retry=False, error=error)
    worker.progress(active, 40, "page 2 of 5")
    settings = """concurrency => 4, retry => '{"kind": "fixed", "base_s": 5}'"""
    worker.rows(f"select pgqueue.set_queue('default', {settings})")
    worker.rows("select pgqueue.pause('default', 'why', 'ada'), pgqueue_private.sample_queues()")
    return [
        "/ui",
        "/ui/sign-in",
        "/ui/tasks",
        "/ui/queues",
        "/ui/queues/default",
        "/ui/workers",
        "/ui/nothing",
        *(f"/ui/tasks/{id}" for id in (failed, active, waiting)),
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_passes_axe(visitor: Visitor, worker: Worker, scheme: str):
    paths = fill(worker)
    visitor.refused = {404}
    page = await visitor.open(color_scheme=scheme)
    found = {}
    for path in paths:
        await visitor.go(page, path)
        found[path] = await violations(page)
    await visitor.go(page, "/ui/queues/default")
    await page.get_by_role("button", name="Resume").click()
    await page.get_by_role("button", name="Pause…").click()
    found["dialog"] = await violations(page)
    assert {path: those for path, those in found.items() if those} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_passes_axe_while_it_is_empty(visitor: Visitor, scheme: str):
    page = await visitor.open(color_scheme=scheme, viewport={"width": 360, "height": 740})
    for path in ("/ui", "/ui/tasks", "/ui/tasks?status=failed&tag=x", "/ui/queues", "/ui/workers"):
        await visitor.go(page, path)
        assert await violations(page) == [], path


async def test_a_failed_task_is_found_and_run_again_by_keyboard_alone(
    visitor: Visitor, worker: Worker
):
    id = worker.enqueue()
    worker.claim()
    worker.finish(id, "failed", retry=False, error={"type": "E", "message": "no"})
    page = await visitor.open("/ui/tasks")

    async def tab_to(name: str) -> None:
        for _ in range(60):
            await page.keyboard.press("Tab")
            if (await page.evaluate(FOCUSED)).startswith(name):
                return
        pytest.fail(f"no tab stop is called {name}")

    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await tab_to("failed")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/ui/tasks?status=failed")
    await tab_to("noop")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/ui/tasks/{id}")
    await visitor.settled(page)
    await tab_to("Run again")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("queued")


async def test_focused_things_are_not_hidden_and_targets_are_large_enough(
    visitor: Visitor, worker: Worker
):
    fill(worker)
    page = await visitor.open("/ui/tasks", viewport={"width": 360, "height": 740})
    assert await page.evaluate(SMALL) == []
