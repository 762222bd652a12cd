"""How long the event loop of the API is held by bodies that are wrong in a great many places.

``python -m bench.bad_bodies`` prints the milliseconds of each; the goal is at most 50.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
from pgqueue_api.http import bodies
from pgqueue_api.http.shapes import Shape
from pgqueue_api.http.typed_body import validate
from pgqueue_api.problems import Invalid
from pgqueue_api.submit.submission import check_shape
from pgqueue_tasks.pdf_report import ReportPayload

from pgqueue.models.batch import BatchInput

_NESTED = {"$ref": "#/$defs/nested"}
_UNION = {
    "$defs": {
        "nested": {"anyOf": [{"items": _NESTED, "type": "array", "maxItems": n} for n in (7, 8, 9)]}
    },
    **_NESTED,
}


def main() -> None:
    """Print a line for each body: its size, and how long the loop did not turn."""
    report = Shape(ReportPayload.model_json_schema())
    deep: Any = 1
    for _ in range(60):
        deep = [deep]
    rows = {"title": "a", "sections": [{"tables": [{"columns": ["a"], "rows": [[{}] * 9] * 4999}]}]}
    union = Shape(_UNION)
    cases: dict[str, tuple[Any, Any]] = {
        "task, 60,000 wrong depends_on": ({"type": "a", "depends_on": [{}] * 60_000}, check_shape),
        "task, 20,000 unknown fields": ({f"k{n}": n for n in range(20_000)}, check_shape),
        "batch of 60,000 wrong tasks": ({"name": "a", "tasks": [{}] * 60_000}, BatchInput),
        "pdf_report, 45,000 wrong cells": (rows, report.errors),
        "union in a union, 60 levels": (deep, union.errors),
        "4 MiB of numbers": ({"tasks": [1] * 2_000_000}, lambda _: None),
        "3.7 MiB, 120,000 keys": ({f"{n:025}": {} for n in range(120_000)}, check_shape),
    }
    for name, (value, check) in cases.items():
        content = orjson.dumps(value)
        held = min(asyncio.run(_held(content, check)) for _ in range(3))
        print(f"{name:32} {len(content):9,} bytes {held * 1e3:7.1f} ms", flush=True)


async def _held(content: bytes, check: Any) -> float:
    """Return the longest time between two turns of the loop while a body is checked."""
    longest, done = 0.0, asyncio.Event()

    async def turn() -> None:
        nonlocal longest
        while not done.is_set():
            before = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - before)

    turning = asyncio.create_task(turn())
    await asyncio.sleep(0)
    try:
        value = await bodies.parsed(content, 64)
        if isinstance(check, type):
            validate(check, content, value)
        else:
            check(value)
    except Invalid:
        pass
    await asyncio.sleep(0)
    done.set()
    await turning
    return longest


if __name__ == "__main__":
    main()
