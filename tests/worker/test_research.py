"""A worker that dies in the middle of a research."""

import os
import signal
import threading

from tests.worker.conftest import Bench
from tests.worker.outbound.origin import Origin, Received, Reply

TEXT = {"Content-Type": "text/plain"}


def test_a_page_that_was_read_is_not_fetched_again_after_a_kill(bench: Bench) -> None:
    held = threading.Event()

    def reply(came: Received) -> Reply:
        if came.path == "/one":
            return Reply(headers=TEXT, body=b"The moon pulls the water of the sea.")
        return Reply(headers=TEXT, body=b"The tide rises twice a day.", wait=held)

    origin = Origin(reply)
    try:
        bench.start(
            "--builtin", PGQUEUE_OUTBOUND_ALLOW_HOSTS="127.0.0.1", PGQUEUE_OPENAI_BASE_URL=""
        )
        urls = [origin.url(path="/one"), origin.url(path="/two")]
        task = bench.enqueue("research_agent", {"question": "Why is there a tide?", "urls": urls})
        origin.wait_for(2)
        (pid,) = [
            row["pid"]
            for row in bench.rows(
                "select pid from pgqueue_private.worker where id in (select worker_id "
                "from pgqueue_private.running)"
            )
        ]
        os.kill(pid, signal.SIGKILL)
        held.set()
        ended = bench.ended(task)
        assert ended["status"] == "completed", ended["error"]
        assert [came.path for came in origin.received] == ["/one", "/two", "/two"]
        assert [attempt["outcome"] for attempt in bench.attempts(task)] == ["crashed", "completed"]
        names = [
            row["name"]
            for row in bench.rows(
                "select name from pgqueue.checkpoints where task_id = %s order by name", task
            )
        ]
        assert names == ["answer", "rank", "read 1", "read 2"]
        assert ended["result"]["answer"] == "The tide rises twice a day. [2]"
    finally:
        held.set()
        origin.close()
