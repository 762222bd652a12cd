"""The chapter on timeouts, cancels and crashes, as it is written."""

import json
from pathlib import Path

import psycopg
from pgqueue_api.submit.submission import check_shape

from tests.docs.blocks import blocks
from tests.worker.conftest import Bench

PAGE = "timeouts.md"


def test_handlers_are_stopped_as_the_chapter_says(database: str, tmp_path: Path) -> None:
    app, _ = blocks(PAGE, "python")
    enqueue, outcomes, _ = blocks(PAGE, "sql")
    (tmp_path / "chapter.py").write_text(app)
    bench = Bench(database, tmp_path)
    try:
        bench.start("--app", "chapter:app", PYTHONPATH=_with(tmp_path))
        tasks = bench.rows(enqueue)[0].values()
        for task in tasks:
            bench.ended(str(task))
        late = "not done within 0.5 s"
        assert [tuple(row.values()) for row in bench.rows(outcomes)] == [
            ("crunch", "failed", "timed_out", late),
            ("fetch", "failed", "timed_out", late),
            ("resize", "completed", "completed", None),
        ]
    finally:
        bench.close()


def test_a_task_expires_as_the_chapter_says(database: str) -> None:
    *_, enqueue = blocks(PAGE, "sql")
    with psycopg.connect(database, autocommit=True) as connection:
        (id,) = connection.execute(enqueue).fetchone()
        connection.execute("select pgqueue_private.shift_clock('2 s')")
        connection.execute("select pgqueue_private.expire(1000)")
        look = "select status, status_reason from pgqueue.tasks where id = %s"
        row = connection.execute(look, (id,)).fetchone()
    assert row == ("cancelled", "expired before it started")


def test_the_body_in_the_chapter_is_a_task() -> None:
    (body,) = blocks(PAGE, "json")
    check_shape(json.loads(body))


def _with(folder: Path) -> str:
    import os

    return os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
