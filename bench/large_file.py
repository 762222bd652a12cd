"""Aggregate a CSV file of 1 GB by upload, and print the memory that it takes.

`python -m bench.large_file [MB]`, beside a `pgqueue up` on this machine: PGQUEUE_URL names another.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil

URL = urlsplit(os.environ.get("PGQUEUE_URL", "http://127.0.0.1:8000"))
LINES = 20_000


def rows(size: int) -> Iterator[bytes]:
    yield b"id,region,amount,sold,note\n"
    block = b"".join(
        b"%d,region-%d,%d.%02d,2026-%02d-%02d,some filler text %d\n"
        % (i, i % 37, i % 1000, i % 100, i % 12 + 1, i % 28 + 1, i)
        for i in range(LINES)
    )
    for _ in range(size // len(block) + 1):
        yield block


class Peaks:
    """The most resident memory of each kind of process of pgqueue on this machine, in MiB."""

    def __init__(self) -> None:
        self.of: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            for process in psutil.process_iter(["cmdline", "memory_info"]):
                line = " ".join(process.info["cmdline"] or [])
                for name, mark in (
                    ("api", "pgqueue api"),
                    ("worker", "pgqueue_worker.process"),
                    ("child", "_aggregation.child"),
                ):
                    if mark in line and process.info["memory_info"]:
                        mib = process.info["memory_info"].rss / 2**20
                        self.of[name] = max(self.of.get(name, 0), round(mib))

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def call(method: str, path: str, body: object = None, **headers: str) -> dict:
    connection = http.client.HTTPConnection(URL.hostname or "", URL.port, timeout=900)
    connection.request(method, path, body, headers, encode_chunked="Transfer-Encoding" in headers)  # type: ignore[arg-type]
    answer = json.load(connection.getresponse())
    connection.close()
    return answer


def main() -> int:
    size = int(sys.argv[1] if sys.argv[1:] else 1000) * 1_000_000
    peaks = Peaks()
    began = time.monotonic()
    file = call(
        "POST",
        "/v1/artifacts?name=big.csv",
        rows(size),
        **{"Content-Type": "text/csv", "Transfer-Encoding": "chunked"},
    )
    uploaded = time.monotonic()
    print(f"uploaded {file['size']:,} bytes in {uploaded - began:.1f} s")
    payload = {
        "artifact": file["id"],
        "group_by": ["region"],
        "aggregates": [{"function": "sum", "column": "amount"}, {"function": "count"}],
    }
    body = json.dumps({"type": "data_aggregation", "payload": payload})
    task = call("POST", "/v1/tasks", body, **{"Content-Type": "application/json"})
    while task["status"] not in ("completed", "failed", "cancelled"):
        time.sleep(0.5)
        task = call("GET", f"/v1/tasks/{task['id']}")
    peaks.stop()
    print(f"{task['status']} in {time.monotonic() - uploaded:.1f} s: {task['error'] or ''}")
    counted = sum(row["count"] for row in (task["result"] or {"rows": []})["rows"])
    print(f"{counted:,} rows; most memory in MiB: {peaks.of}")
    return 0 if task["status"] == "completed" else 1


if __name__ == "__main__":
    sys.exit(main())
