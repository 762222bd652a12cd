"""Durable POSTs a second on one API process: raw sockets, one request in flight on each.

    python bench/http_submit.py --url URL [--connections 64] [--seconds 5] [--runs 3]

Prints the median of the runs with their spread, and JSON on the last line.
Every answer must be 201.
"""

import argparse
import asyncio
import json
import statistics
import time
from urllib.parse import urlsplit

import uvloop

ANSWER = b"HTTP/1.1 201"


class Client(asyncio.Protocol):
    """One connection that sends the next request when the answer to the last one is complete."""

    def __init__(self, request, deadline, seen):
        self.request, self.deadline, self.seen = request, deadline, seen
        self.buffer = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.send()

    def send(self):
        self.began = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data):
        self.buffer = self.buffer + data if self.buffer else data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        mark = self.buffer.find(b"content-length: ") + 16
        size = int(self.buffer[mark : self.buffer.find(b"\r\n", mark)])
        if len(self.buffer) < head + 4 + size:
            return
        if not self.buffer.startswith(ANSWER):
            self.finish(RuntimeError(self.buffer.decode(errors="replace")))
            return
        now = time.perf_counter()
        self.seen.append(now - self.began)
        self.buffer = b""
        if now < self.deadline:
            self.send()
        else:
            self.finish(None)

    def finish(self, error):
        self.transport.close()
        if not self.done.done():
            self.done.set_exception(error) if error else self.done.set_result(None)

    def connection_lost(self, error):
        self.finish(error or ConnectionError("the server closed the connection"))


async def measure(url, connections, seconds, payload):
    """Return requests a second and the times of all answers, in seconds."""
    parts = urlsplit(url)
    body = json.dumps({"type": "noop", "payload": payload}).encode()
    request = (
        f"POST /v1/tasks HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body
    seen = []
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    clients = [
        (
            await loop.create_connection(
                lambda: Client(request, began + seconds, seen), parts.hostname, parts.port
            )
        )[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(client.done for client in clients))
    return len(seen) / (time.perf_counter() - began), seen


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    payload = {"order": 7, "to": "someone@example.com", "n": "x" * 10}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(options.url, options.connections, 1, payload))  # warm up
        rates, times = [], []
        for _ in range(options.runs):
            rate, seen = runner.run(
                measure(options.url, options.connections, options.seconds, payload)
            )
            rates.append(rate)
            times += seen
    cuts = statistics.quantiles(times, n=100)
    result = {
        "posts_per_s": round(statistics.median(rates)),
        "spread": [round(min(rates)), round(max(rates))],
        "p50_ms": round(cuts[49] * 1000, 2),
        "p99_ms": round(cuts[98] * 1000, 2),
        "connections": options.connections,
        "runs": options.runs,
    }
    print(
        f"{result['posts_per_s']:,} durable POSTs/s ({result['spread'][0]:,} to "
        f"{result['spread'][1]:,}), p50 {result['p50_ms']} ms, p99 {result['p99_ms']} ms, "
        f"{options.connections} connections"
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
