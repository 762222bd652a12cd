"""Texts that would run, hide or turn around what stands beside them are shown as texts."""

import orjson
import pytest

from tests.api.worker import Worker
from tests.browser import Visitor, expect

TEXTS = {
    "script": "<script>document.title = 'run'</script>",
    "end of a script": "</script><script>document.title = 'run'</script>",
    "picture": "<img src=x onerror=\"document.title = 'run'\">",
    "drawing": "<svg onload=\"document.title = 'run'\">",
    "template": "${document.title = 'run'} {{ 7 * 7 }}",
    "bidi": "report\u202egnp.exe",
    "zero width": "pay\u200bpal\ufeff",
    "terminal": "\x1b[31mred\x1b[0m\x07",
}
SHOWN = TEXTS | {
    "bidi": "report[U+202E]gnp.exe",
    "zero width": "pay[U+200B]pal[U+FEFF]",
    "terminal": "red[U+0007]",
}


@pytest.mark.parametrize("name", TEXTS)
async def test_no_text_of_others_runs_or_hides(visitor: Visitor, worker: Worker, name: str):
    text, shown = TEXTS[name], SHOWN[name]
    payload = orjson.dumps({text: text}).decode()
    id = worker.enqueue("noop", payload, tags=[text], queue="default")
    worker.claim()
    worker.progress(id, 50, text)
    worker.log(id, text, about=text)
    worker.text(id, text)
    worker.save_artifact(id, "file.txt", text.encode(), "text/plain")
    error = {"type": text, "message": text, "traceback": text}
    worker.finish(id, "failed", retry=False, error=error)
    worker.rows("select pgqueue.pause('default', %s, %s)", text, text)
    page = await visitor.open(f"/ui/tasks/{id}")
    await expect(page.get_by_role("log")).to_contain_text(shown)
    await expect(page.locator(".written")).to_have_text(shown)
    await expect(page.get_by_label("Why did it fail?").locator(".message")).to_have_text(shown)
    await expect(page.get_by_label("Why did it fail?").locator("pre")).to_have_text(shown)
    await page.get_by_role("button", name="Open").click()
    await expect(page.locator(".opened")).to_have_text(shown)
    await expect(page.get_by_label("Facts").locator(".tag")).to_have_text(shown)
    await visitor.go(page, "/ui/tasks?columns=tags,note")
    await expect(page.locator("tbody .tag")).to_have_text(shown)
    await expect(page.locator("tbody .note")).to_have_text(f"{shown}: {shown}")
    await visitor.go(page, "/ui/queues/default")
    await expect(page.locator(".notice.warn")).to_contain_text(f"by {shown}: {shown}")
    await visitor.go(page, "/ui")
    await expect(page.get_by_role("region", name="needs attention")).to_contain_text(shown)
    assert await page.title() == "Overview · pgqueue"


async def test_a_page_cannot_be_made_to_take_html(visitor: Visitor):
    visitor.expected = ["require-trusted-types-for", "TrustedHTML"]
    page = await visitor.open("/ui")
    made = """() => {
        try { document.body.innerHTML = "<b>x</b>" } catch (error) { return error.name }
    }"""
    assert await page.evaluate(made) == "TypeError"


async def test_a_long_line_is_shown_and_the_page_stays_usable(visitor: Visitor, worker: Worker):
    id = worker.enqueue(
        "noop", orjson.dumps({"line": "x" * 200_000, "n": list(range(5000))}).decode()
    )
    page = await visitor.open(f"/ui/tasks/{id}")
    shown = page.get_by_label("Payload", exact=True).locator("pre")
    await expect(shown).to_contain_text("4999")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
