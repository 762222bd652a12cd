"""Each page of the dashboard once, in a real browser; tests/dashboard looks closer."""

import pytest

from tests.api.worker import Worker
from tests.browser import Visitor, expect

pytestmark = pytest.mark.chromium


async def test_every_page_shows_its_data_and_nothing_goes_wrong_in_the_browser(
    visitor: Visitor, worker: Worker
):
    worker.log(failed := _claimed(worker, max_attempts=1), "connecting")
    worker.finish(failed, "failed", error={"type": "OSError", "message": "no route"})
    waiting = worker.enqueue("sleep", '{"delay_ms": 9007199254740993}', queue="email")
    worker.rows("select pgqueue.pause('email', 'the provider is down', 'ada')")
    visitor.refused = {404}

    page = await visitor.open("/ui")
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    await expect(page.get_by_role("region", name="Failed last", exact=True)).to_contain_text(
        "OSError: no route"
    )
    await visitor.go(page, "/ui/tasks")
    await expect(page.locator("tbody tr")).to_have_count(2)
    await visitor.go(page, f"/ui/tasks/{failed}")
    await expect(page.get_by_role("log")).to_contain_text("connecting")
    await visitor.go(page, f"/ui/tasks/{waiting}")
    await expect(page.get_by_role("heading", name="Why is it waiting?")).to_be_visible()
    await expect(page.get_by_label("Payload", exact=True).locator("pre")).to_contain_text(
        "9007199254740993"
    )
    await visitor.go(page, "/ui/queues")
    await expect(page.get_by_role("row", name="email")).to_be_visible()
    await visitor.go(page, "/ui/queues/email")
    await expect(page.get_by_role("button", name="Resume")).to_be_visible()
    await visitor.go(page, "/ui/workers")
    await expect(page.get_by_role("row", name="host:1")).to_be_visible()
    await visitor.go(page, "/ui/nothing")
    await expect(page.get_by_role("heading", name="Not found")).to_be_visible()


def _claimed(worker: Worker, **options: object) -> str:
    id = worker.enqueue(**options)
    worker.claim()
    return id
