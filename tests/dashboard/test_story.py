"""With a real worker: a report is watched and opened; a task fails, says why, and runs again."""

import pytest

from tests.browser import Visitor, expect
from tests.worker.conftest import Bench, bench

__all__ = ["bench"]


@pytest.fixture(scope="session")
def template(pgqueue_template: str) -> str:
    """One with all days, which the maintenance of a worker needs."""
    return pgqueue_template


async def test_a_newcomer_watches_a_report_opens_it_and_mends_a_task(
    visitor: Visitor, bench: Bench
):
    gate = bench.enqueue("gate", {"name": "door"})
    report = bench.enqueue(
        "pdf_report", {"title": "Sales", "sections": [{"heading": "North"}]}, queue="pdf_report"
    )
    broken = bench.enqueue("fail", {"times": 1}, max_attempts=1)

    page = await visitor.open(f"/ui/tasks/{report}")
    head = page.get_by_role("heading", level=1)
    await expect(head).to_contain_text("queued")
    bench.start("--builtin", "--queues", "default,pdf_report")
    await expect(head).to_contain_text("completed")
    await page.get_by_role("button", name="Open").click()
    await expect(page.locator("iframe.pdf")).to_be_visible()

    await visitor.go(page, f"/ui/tasks/{broken}")
    await expect(head).to_contain_text("failed")
    reason = page.get_by_label("Why did it fail?")
    await expect(reason).to_contain_text("LookupError: attempt 1")
    await expect(reason.locator("pre")).to_contain_text("raise LookupError")
    await page.get_by_role("button", name="Run again").click()
    await expect(head).not_to_contain_text("failed")

    await visitor.go(page, f"/ui/tasks/{gate}")
    await expect(head).to_contain_text("active")
    bench.open("door-out")
    await expect(head).to_contain_text("completed")
    await expect(page.get_by_label("Result", exact=True).locator("pre")).to_have_text('"through"')

    await visitor.go(page, "/ui/workers")
    await expect(page.locator("tbody tr").first).to_contain_text("pdf_report")
