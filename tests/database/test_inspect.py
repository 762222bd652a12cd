"""The ad-hoc files for psql run on a queue that has lived a little."""

from pathlib import Path

import pytest

from pgqueue.database.queries import SQL
from tests.database.queue import Queue


@pytest.mark.parametrize("file", sorted((SQL / "inspect").glob("*.sql")), ids=lambda f: f.stem)
def test_an_ad_hoc_file_runs_and_says_what_it_shows(queue: Queue, file: Path):
    text = file.read_text()
    assert text.startswith("-- ")
    queue.rows("select pgqueue.enqueue('t'), pgqueue.enqueue('t', queue => 'other')")
    queue.rows("select pgqueue_private.sample_queues()")
    found = queue.rows(text)
    if file.stem in ("queue_health", "oldest_waiting"):
        assert {row["queue"] for row in found} == {"default", "other"}
