"""Limits under load: nothing exceeds them, and all that they allow is used."""

from datetime import timedelta

import orjson

from tests import ledger
from tests.worker.attempts.test_limits import run_all
from tests.worker.conftest import Bench, eventually

_SEVEN = {  # concurrency, starts in a second
    "text_gen": (10, 20),
    "image_gen": (5, 10),
    "research_agent": (3, 5),
    "email_campaign": (5, 50),
    "pdf_report": (3, 10),
    "webhook_processing": (10, 100),
    "data_aggregation": (1, 5),
}


def test_seven_queues_use_their_limits_and_never_exceed_them(bench: Bench) -> None:
    """Sixty times as fast as they are meant: windows of a second instead of a minute."""
    tasks = []
    for queue, (concurrency, count) in _SEVEN.items():
        rate = [{"count": count, "per_seconds": 1}]
        settings = orjson.dumps({"concurrency": concurrency, "rate": rate}).decode()
        bench.value("select pgqueue.patch_queue(%s, %s)", queue, settings)
        tasks += [{"type": "nap", "payload": {"seconds": 0.001}, "queue": queue}] * (2 * count + 1)
    bench.start("--concurrency", "40")
    bench.start("--concurrency", "40")
    bench.enqueue_many(tasks)
    run_all(bench, len(tasks))
    assert ledger.broken(bench.dsn) == []
    for queue, (_, count) in _SEVEN.items():
        runs = bench.rows(
            """select a.started_at, a.finished_at from pgqueue.attempts as a
               join pgqueue.tasks as t on t.id = a.task_id where t.queue = %s""",
            queue,
        )
        starts = ledger.max_starts([ledger.Run(**run) for run in runs], timedelta(seconds=1))
        assert starts >= 0.95 * count, queue


def test_a_limit_of_forty_is_full_throughout_on_five_processes(bench: Bench) -> None:
    bench.value("select pgqueue.set_queue('default', concurrency => 40)::text")
    bench.start("--processes", "5", "--concurrency", "12")
    eventually(lambda: len(bench.processes()) == 5, "five processes claim")
    # ends are spread, as those of real tasks are
    naps = [{"type": "nap", "payload": {"seconds": 1 + n % 40 / 40}} for n in range(200)]
    bench.enqueue_many(naps)
    runs = run_all(bench, 200)
    assert ledger.max_at_once(runs) == 40
    begin, end = runs[39].started_at, runs[-1].started_at  # while there is more to start
    busy = sum(
        (min(run.finished_at or end, end) - max(run.started_at, begin)) / (end - begin)
        for run in runs
        if run.started_at < end and (run.finished_at or end) > begin
    )
    assert busy >= 38
