"""Aggregate a CSV or Parquet file of 1 GB by upload, and print the memory that it takes.

`python -m bench.large_file [csv|parquet] [MB]`, beside a `pgqueue up` on this machine: PGQUEUE_URL
names another.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import psutil

URL = urlsplit(os.environ.get("PGQUEUE_URL", "http://127.0.0.1:8000"))
LINES = 20_000


MEDIA = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
ROW_OF_PARQUET = 40  # about, in bytes: the note does not compress


def csv(size: int) -> Iterator[bytes]:
    yield b"id,region,amount,sold,note\n"
    block = b"".join(
        b"%d,region-%d,%d.%02d,2026-%02d-%02d,some filler text %d\n"
        % (i, i % 37, i % 1000, i % 100, i % 12 + 1, i % 28 + 1, i)
        for i in range(LINES)
    )
    for _ in range(size // len(block) + 1):
        yield block


def parquet(size: int) -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "big.parquet")
        duckdb.execute(
            f"""
            copy (
                select i as id, 'region-' || i % 37 as region, (i % 100000) / 100.0 as amount,
                    date '2026-01-01' + (i % 365)::integer as sold, md5(i::varchar) as note
                from range({size // ROW_OF_PARQUET}) rows(i)
            ) to '{file}' (format parquet)
            """
        )
        with file.open("rb") as opened:
            while piece := opened.read(1 << 20):
                yield piece


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
                    ("worker", "pgqueue_worker.worker_process"),
                    ("child", "isolation.fork_server"),  # which its children are forks of
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
    kind = sys.argv[1] if sys.argv[1:] else "csv"
    size = int(sys.argv[2] if sys.argv[2:] else 1000) * 1_000_000
    pieces = (csv if kind == "csv" else parquet)(size)
    first = next(pieces)  # a Parquet file is made before the clock starts
    peaks = Peaks()
    began = time.monotonic()
    file = call(
        "POST",
        f"/v1/artifacts?name=big.{kind}",
        chain([first], pieces),
        **{"Content-Type": MEDIA[kind], "Transfer-Encoding": "chunked"},
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
