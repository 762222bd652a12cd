"""The page of a task: live, complete, exact, and with what may be done."""

from pathlib import Path

from tests.api.worker import Worker
from tests.browser import Visitor, expect

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
NONE = "00000000-0000-7000-8000-000000000000"


async def test_a_task_is_followed_from_queued_to_completed_without_a_reload(
    visitor: Visitor, worker: Worker
):
    id = worker.enqueue("noop", '{"order": 7}')
    page = await visitor.open(f"/ui/tasks/{id}")
    head = page.get_by_role("heading", level=1)
    await expect(head).to_contain_text("queued")
    worker.claim()
    await expect(head).to_contain_text("active")
    await expect(page.get_by_role("heading", name="Why is it waiting?")).to_have_count(0)
    worker.progress(id, 40, "page 2 of 5")
    await expect(page.locator("main .progress")).to_contain_text("40 % page 2 of 5")
    for n in range(3):
        worker.log(id, f"line {n}", page=n)
    await expect(page.get_by_role("log").locator(".line")).to_have_count(3)
    worker.text(id, "Once upon ")
    worker.text(id, "a time")
    await expect(page.locator(".written")).to_have_text("Once upon a time")
    worker.finish(id, result={"total": 12})
    await expect(head).to_contain_text("completed")
    await expect(page.get_by_label("Result", exact=True).locator("pre")).to_contain_text(
        '"total": 12'
    )
    await expect(page).to_have_title(f"completed: noop …{id[-6:]} · pgqueue")
    await expect(page.get_by_role("log").locator(".line")).to_have_count(3)


async def test_every_attempt_is_shown_with_its_traceback(visitor: Visitor, worker: Worker):
    id = worker.enqueue(max_attempts=3)
    for n in (1, 2, 3):
        worker.claim()
        error = {
            "type": "TimeoutError",
            "message": f"try {n}",
            "traceback": f"File shop.py, line {n}",
        }
        worker.finish(id, "failed", delay_s=0, retry=n < 3, error=error)
        if n < 3:
            worker.rows("select pgqueue.retry(%s)", id)
    page = await visitor.open(f"/ui/tasks/{id}")
    attempts = page.locator(".attempts > li")
    await expect(attempts).to_have_count(3)
    for place, n in enumerate((3, 2, 1)):
        await expect(attempts.nth(place)).to_contain_text(f"TimeoutError: try {n}")
        await attempts.nth(place).get_by_text("Traceback", exact=True).click()
        await expect(attempts.nth(place).locator("pre")).to_have_text(f"File shop.py, line {n}")
    await expect(page.get_by_label("Why did it fail?")).to_contain_text("try 3")
    await expect(page.locator(".timeline rect")).to_have_count(4)


async def test_numbers_are_shown_to_the_last_digit(visitor: Visitor, worker: Worker):
    payload = (
        '{"big": 9007199254740993, "small": 0.1000000000000000055, "list": [], "deep": [{"a": {}}]}'
    )
    id = worker.enqueue("noop", payload)
    worker.claim()
    worker.log(id, "counted", n=9007199254740993)
    worker.finish(id, result={"id": 9223372036854775807})
    page = await visitor.open(f"/ui/tasks/{id}")
    shown = page.get_by_label("Payload", exact=True).locator("pre")
    await expect(shown).to_contain_text('"big": 9007199254740993')
    await expect(shown).to_contain_text("0.1000000000000000055")
    await expect(page.get_by_label("Result", exact=True).locator("pre")).to_contain_text(
        "9223372036854775807"
    )
    await expect(page.get_by_role("log")).to_contain_text("9007199254740993")


async def test_a_failed_task_runs_again_and_a_waiting_one_is_cancelled_with_a_reason(
    visitor: Visitor, worker: Worker
):
    id = worker.enqueue()
    worker.claim()
    worker.finish(id, "failed", retry=False, error={"type": "E", "message": "no"})
    page = await visitor.open(f"/ui/tasks/{id}")
    head = page.get_by_role("heading", level=1)
    await page.get_by_role("button", name="Run again").click()
    await expect(head).to_contain_text("queued")
    await page.get_by_role("button", name="Cancel…").click()
    await page.get_by_role("dialog").get_by_label("Reason").fill("ordered by mistake")
    await page.get_by_role("dialog").get_by_role("button", name="Cancel the task").click()
    await expect(head).to_contain_text("cancelled")
    await expect(page.locator(".lead")).to_contain_text("ordered by mistake")
    await page.get_by_role("button", name="Run again").click()
    await expect(head).to_contain_text("queued")
    worker.claim()
    await expect(head).to_contain_text("active")  # the stream was opened again


async def test_what_the_api_refuses_is_said_in_place(visitor: Visitor, worker: Worker):
    id = worker.enqueue()
    worker.claim()
    worker.finish(id, "failed", retry=False, error={"type": "E", "message": "no"})
    visitor.refused = {409}
    page = await visitor.open(f"/ui/tasks/{id}")
    await page.route(
        "**/retry",
        lambda route: route.fulfill(
            status=409,
            content_type="application/problem+json",
            body='{"status": 409, "code": "conflict", "detail": "task is active", "hint": "wait"}',
        ),
    )
    await page.get_by_role("button", name="Run again").click()
    await expect(page.get_by_role("alert")).to_have_text("task is active wait")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("failed")


async def test_files_open_in_place_or_are_downloaded(
    visitor: Visitor, worker: Worker, tmp_path: Path
):
    id = worker.enqueue()
    worker.claim()
    worker.save_artifact(id, "cat.png", PNG, "image/png")
    worker.save_artifact(id, "page.html", b"<script>alert(1)</script>", "text/html")
    worker.save_artifact(id, "report.pdf", b"%PDF-1.4 no real one", "application/pdf")
    worker.save_artifact(id, "sum.json", b'{"n":9007199254740993}', "application/json")
    worker.save_artifact(id, "data.bin", b"\0\1", "application/octet-stream")
    worker.finish(id)
    page = await visitor.open(f"/ui/tasks/{id}")
    files = page.locator(".files > li")
    await expect(files).to_have_count(5)

    async def opened(name: str):
        row = files.filter(has_text=name)
        await row.get_by_role("button", name="Open").click()
        return row.locator(".opened")

    picture = await opened("cat.png")
    await expect(picture).to_have_js_property("naturalWidth", 1)
    await expect(await opened("page.html")).to_have_text("<script>alert(1)</script>")
    await expect(await opened("sum.json")).to_contain_text('"n": 9007199254740993')
    pdf = await opened("report.pdf")
    assert (await pdf.get_attribute("src")).startswith("blob:")
    await expect(files.filter(has_text="data.bin").get_by_role("button")).to_have_count(0)
    async with page.expect_download() as download:
        await files.filter(has_text="data.bin").get_by_role("link", name="Download").click()
    target = tmp_path / "data.bin"
    await (await download.value).save_as(target)
    assert target.read_bytes() == b"\0\1"


async def test_the_log_is_filtered_by_level_and_text(visitor: Visitor, worker: Worker):
    id = worker.enqueue()
    worker.claim()
    for seq, (level, message) in enumerate(
        [("debug", "opening"), ("info", "row 1"), ("error", "row 2 is bad")]
    ):
        worker._report("append_events", id, seq=seq + 1, level=level, message=message)
    page = await visitor.open(f"/ui/tasks/{id}")
    lines = page.get_by_role("log").locator(".line")
    await expect(lines).to_have_count(3)
    await page.get_by_label("Find").fill("ROW")
    await expect(lines).to_have_count(2)
    await page.get_by_label("Level").select_option("error")
    await expect(lines).to_have_count(1)
    await expect(page.get_by_text("1 of 3 lines")).to_be_visible()


async def test_the_log_follows_its_end_unless_the_reader_has_scrolled_up(
    visitor: Visitor, worker: Worker
):
    id = worker.enqueue()
    worker.claim()
    for n in range(60):
        worker.log(id, f"line {n}", announce=n == 59)
    page = await visitor.open(f"/ui/tasks/{id}")
    log = page.get_by_role("log")
    await log.scroll_into_view_if_needed()
    await expect(log.get_by_text("line 59", exact=True)).to_be_in_viewport()
    await log.focus()
    await page.keyboard.press("Home")
    await expect(page.get_by_label("follow")).not_to_be_checked()
    worker.log(id, "unseen")
    await expect(page.get_by_text("61 lines")).to_be_visible()
    await expect(log.get_by_text("line 0", exact=True)).to_be_in_viewport()
    await page.get_by_label("follow").check()
    await expect(log.get_by_text("unseen")).to_be_in_viewport()


async def test_the_log_goes_on_after_the_connection_was_lost_and_repeats_nothing(
    visitor: Visitor, worker: Worker
):
    id = worker.enqueue()
    worker.claim()
    worker.log(id, "before")
    page = await visitor.open(f"/ui/tasks/{id}")
    lines = page.get_by_role("log").locator(".line .text")
    await expect(lines).to_have_text(["before"])
    await page.locator(".live").click()  # closes the stream
    worker.log(id, "meanwhile")
    await page.locator(".live").click()
    await expect(lines).to_have_text(["before", "meanwhile"])
    worker.log(id, "after")
    await expect(lines).to_have_text(["before", "meanwhile", "after"])


async def test_a_task_that_is_not_there_is_said_not_to_be(visitor: Visitor):
    visitor.refused = {404}
    page = await visitor.open(f"/ui/tasks/{NONE}")
    await expect(page.get_by_role("alert")).to_contain_text(NONE)
    await visitor.go(page, "/ui/tasks/not-an-id")
    await expect(page.get_by_role("alert")).to_be_visible()
