"""The modules in lib/ by themselves, in the browser that runs them."""

from typing import Any

import orjson
import pytest
from pgqueue_api.dashboard.assets import assets
from playwright.async_api import Page

from tests.api.worker import Worker
from tests.browser import Visitor, expect


async def call(page: Page, module: str, code: str, value: Any = None) -> Any:
    path = f"/ui/assets/{assets().version}/lib/{module}.js"
    return await page.evaluate(
        f"async (v) => {{ const m = await import('{path}'); return {code} }}", value
    )


async def test_durations_are_said_as_people_say_them_and_are_never_negative(visitor: Visitor):
    page = await visitor.open("/ui/workers")
    said = {
        -5: "0 s", 0: "0 s", 0.0123: "12 ms", 0.99951: "1.0 s", 3.44: "3.4 s", 9.96: "10 s",
        59.4: "59 s", 59.6: "1 min", 125: "2 min 5 s", 3569: "59 min 29 s", 3599: "1 h",
        12_000: "3 h 20 min",
        86_399: "24 h", 180_000: "2 d 2 h",
    }  # fmt: skip
    assert await call(page, "time", "v.map(m.duration)", [*said]) == [*said.values()]
    future = "m.secondsBetween(new Date(Date.now() + 9e6).toISOString())"
    assert await call(page, "time", future) == 0
    assert await call(page, "time", "m.secondsBetween(null)") is None


async def test_relative_times_are_rounded_down_and_stay_still_below_a_minute(visitor: Visitor):
    page = await visitor.open("/ui/workers")
    said = {
        0: "just now", -9: "just now", -19: "10 s ago", -59: "50 s ago", -60: "1 min ago",
        -3599: "59 min ago", -3600: "1 h ago", -172_800: "2 d ago", 5: "in a moment",
        45: "in 40 s", 7300: "in 2 h",
    }  # fmt: skip
    code = "v.map((s) => m.relative(new Date(1e12 + s * 1000).toISOString(), 1e12))"
    assert await call(page, "time", code, [*said]) == [*said.values()]


async def test_json_text_is_split_and_laid_out_without_being_parsed(visitor: Visitor):
    page = await visitor.open("/ui/workers")
    text = '{"a" : 1e400, "b\\"}" :[9007199254740993,"x, ]",{}],"c":null, "d":{"e":[[],-0.10]}}'
    assert await call(page, "json", "m.members(v)", text) == {
        "a": "1e400",
        'b"}': '[9007199254740993,"x, ]",{}]',
        "c": "null",
        "d": '{"e":[[],-0.10]}',
    }
    assert await call(page, "json", "m.elements(v)", ' [ {"a":[1]} ,2,"]" ]') == [
        '{"a":[1]}',
        "2",
        '"]"',
    ]
    for empty in ("[]", " [ ] "):
        assert await call(page, "json", "[m.elements(v), m.pretty(v)]", empty) == [
            [],
            empty.replace(" ", ""),
        ]
    pretty = '{\n  "a": [\n    1.0,\n    "b: c"\n  ],\n  "d": {}\n}'
    assert await call(page, "json", "m.pretty(v)", '{"a":[1.0,"b: c"],"d":{}}') == pretty
    deep = "[" * 1000 + "7" + "]" * 1000
    assert "".join((await call(page, "json", "m.pretty(v)", deep)).split()) == deep


async def test_shares_are_never_rounded_to_all_or_nothing(visitor: Visitor):
    page = await visitor.open("/ui/workers")
    said = {1: "100 %", 0: "0 %", 0.99999: "> 99.9 %", 0.00001: "< 0.1 %", 0.703: "70.3 %"}
    assert await call(page, "format", "v.map(m.percent)", [*said]) == [*said.values()]
    sizes = {999: "999 B", 14_243: "14.2 KB", 2_000_000: "2 MB"}
    assert await call(page, "format", "v.map(m.bytes)", [*sizes]) == [*sizes.values()]


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_wrong_clock_of_the_browser_changes_no_relative_time(
    visitor: Visitor, worker: Worker, hours: int
):
    id = worker.enqueue()
    page = await visitor.open("/ui/workers")
    await page.add_init_script(
        f"const real = Date.now; Date.now = () => real() + {hours} * 3600000;"
    )
    await visitor.go(page, f"/ui/tasks/{id}")
    await expect(page.get_by_label("Facts").locator("time").first).to_have_text("just now")


async def test_of_a_long_log_the_last_five_thousand_lines_are_kept(
    visitor: Visitor, worker: Worker
):
    id = worker.enqueue()
    worker.claim()
    lease = {"task_id": id, "lease_id": worker.leases[id], "level": "info"}
    lines = [{**lease, "seq": n, "message": f"line {n}"} for n in range(1, 6_001)]
    worker.rows("select pgqueue_private.append_events(%s)", orjson.dumps(lines).decode())
    page = await visitor.open(f"/ui/tasks/{id}")
    await expect(page.locator(".toolbar")).to_contain_text("5,000 lines; 1,000 earlier lines")
    lines = page.get_by_role("log").locator(".line")
    await expect(lines.last).to_contain_text("line 6000")
    await page.get_by_role("log").scroll_into_view_if_needed()
    await expect(lines.last).to_be_in_viewport()
