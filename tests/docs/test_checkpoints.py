"""The chapter on checkpoints, steps and transactions, as it is written."""

import os
from pathlib import Path

from tests.docs.blocks import blocks
from tests.worker.conftest import Bench

PAGE = "checkpoints.md"


def test_tasks_remember_and_have_one_effect_as_the_chapter_says(
    database: str, tmp_path: Path
) -> None:
    (app,) = blocks(PAGE, "python")
    enqueue, results, remembered = blocks(PAGE, "sql")
    (tmp_path / "chapter.py").write_text(app)
    bench = Bench(database, tmp_path)
    try:
        table, tasks = enqueue.strip().split(";\n")
        bench.rows(table)
        ids = [str(id) for id in bench.rows(tasks)[0].values()]
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        bench.start("--app", "chapter:app", PYTHONPATH=path)
        for id in ids:
            bench.ended(id)
        assert [tuple(row.values()) for row in bench.rows(results)] == [
            ("import", "completed", 2, {"began": 200}, None),
            ("ship", "completed", 2, {"shipped": 7}, "R-7"),
        ]
        assert [tuple(row.values()) for row in bench.rows(remembered)] == [
            ("charge", 1, {"receipt": "R-7"}),
            ("", 2, 300),
        ]
    finally:
        bench.close()
