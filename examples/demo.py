"""Runs each built-in type once, as one batch: `make demo`, while `make run` is running.

`make demo PORT=9000` or `URL=…` if it does not listen on port 8000.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from typing import Any

from client import URL, upload
from webhook_processing import SECRET as HOOK_SECRET
from webhook_processing import signed

WAIT_S = 300
SALES = b"region,amount\nnorth,120.50\nsouth,80.25\nnorth,99.50\n"


def call(path: str, body: dict[str, Any] | None = None) -> Any:
    """Call the API."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310
        URL + path, data, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return json.load(answer)


def tasks() -> list[dict[str, Any]]:
    """Return one task of each type."""
    sales = upload("sales.csv", "text/csv", SALES)
    chart = {"type": "pie", "labels": ["North", "South"], "series": [{"values": [220, 80.25]}]}
    payloads: dict[str, dict[str, Any]] = {
        "text_gen": {"prompt": "The sea", "max_tokens": 40},
        "image_gen": {"prompt": "A lighthouse at night", "width": 256, "height": 256},
        "research_agent": {
            "question": "What does pgqueue need?",
            "texts": [{"text": "pgqueue is a task queue. It needs PostgreSQL and nothing else."}],
        },
        "email_campaign": {
            "from": "news@shop.example",
            "subject": "Hello {{ name }}",
            "text": "Hello {{ name }}, this is a demo.\n",
            "recipients": [{"email": "ada@example.com", "name": "Ada"}],
        },
        "pdf_report": {"title": "Sales", "sections": [{"heading": "By region", "charts": [chart]}]},
        "webhook_processing": {
            "source": "demo",
            **signed({"type": "order.paid", "data": {"order": 7}}, HOOK_SECRET),
            "map": {"order": "data.order"},
        },
        "data_aggregation": {
            "artifact": sales["id"],
            "group_by": ["region"],
            "aggregates": [{"function": "sum", "column": "amount"}],
        },
    }
    known = {kind["name"] for kind in call("/v1/types")["items"]}
    if absent := sorted(payloads.keys() - known):
        print(f"not on this worker: {', '.join(absent)}")
    return [
        {"type": name, "payload": payload} for name, payload in payloads.items() if name in known
    ]


def main() -> int:
    """Submit the batch, wait for its end, and print where the results are."""
    try:
        batch = call("/v1/batches", {"name": "demo", "tasks": tasks()})
    except OSError as error:
        print(f"{URL}: {error}", file=sys.stderr)
        print("start `make run` in another terminal first", file=sys.stderr)
        print("if it says another address than this one: make demo URL=…", file=sys.stderr)
        return 1
    print(f"batch {URL}/v1/batches/{batch['id']}")
    deadline = time.monotonic() + WAIT_S
    while batch["status"] in ("open", "running") and time.monotonic() < deadline:
        time.sleep(0.5)
        batch = call(f"/v1/batches/{batch['id']}")
    failed = 0
    for task in call(f"/v1/batches/{batch['id']}/tasks")["items"]:
        print(f"\n{task['type']}: {task['status']}  {URL}/v1/tasks/{task['id']}")
        if task["status"] != "completed":
            failed += 1
            print(f"  {(task['error'] or {}).get('message')}")
            continue
        for file in call(f"/v1/tasks/{task['id']}/artifacts")["items"]:
            print(f"  open {URL}{file['href']}")
        print(f"  {json.dumps(task['result'], ensure_ascii=False)[:300]}")
    return 1 if failed or batch["status"] != "completed" else 0


if __name__ == "__main__":
    sys.exit(main())
