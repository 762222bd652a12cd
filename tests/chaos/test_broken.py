"""What the nemesis and the ledger are for: a queue whose protection is taken out is found out."""

from pathlib import Path
from random import Random

import pytest

from tests import servers
from tests.chaos.faults import KINDS, Kind, Steps
from tests.chaos.histories import read_history
from tests.chaos.nemesis import Report, Run, Strike, Window, play
from tests.chaos.stage import Stage

pytestmark = pytest.mark.timeout(300)

SQL = Path(__file__).parents[2] / "sql" / "functions"


def changed(function: str, old: str, new: str) -> str:
    """Give the SQL of a function with something else in one place."""
    text = (SQL / f"{function}.sql").read_text()
    assert text.count(old) == 1, "the function is not what it was"
    return text.replace(old, new)


@pytest.fixture
def broken(tmp_path: Path, postgres_major: str):
    """Play a short run of a broken queue, under faults of one kind at these seconds."""

    def broken(kind: str = "", *at: float, **options: object) -> Report:
        strikes = tuple(Strike(n, kind, after_s) for n, after_s in enumerate(at))
        run = {"tasks": 600, "rate": 150, "drain_s": 30, **options}
        binaries = servers.binaries(postgres_major)
        return play(Run(windows=[Window(4, strikes)], binaries=binaries, **run), tmp_path)

    return broken


def test_a_finish_without_a_fence_is_stale(broken) -> None:
    holds, task = "(r.task_id, r.lease_id) = (i.task_id, i.lease_id)", "r.task_id = i.task_id"
    without = changed("finish", holds, task) + changed("complete", holds, task)
    report = broken("freeze", 0.5, 2, slow=0.5, broken=without)
    assert report.verdict.stale, report.text()


def test_a_rescue_that_does_not_look_at_the_lease_repeats_what_nothing_broke(broken) -> None:
    lives = "w.id = r.worker_id and w.state in ('active', 'draining')"
    report = broken(slow=0.5, broken=changed("rescue", lives, "false"), lease_s=60)
    assert report.verdict.unexplained, report.text()


def crash_later(stage: Stage, chance: Random) -> Steps:
    """Crash PostgreSQL when completions have been accepted that no enqueue took along to disk."""
    while not all(client.done for client in stage.clients):
        yield 0.05
    before = len(read_history(stage.histories).accepted)
    while len(read_history(stage.histories).accepted) < before + 20:
        yield 0.05
    yield from KINDS["crash_postgresql"].play(stage, chance)


def test_a_completion_that_is_not_durable_is_gone_or_accepted_twice(
    broken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "crash_later", Kind("crash_later", True, crash_later))
    begin = "begin\n"
    durable = changed("enqueue_many", begin, f"{begin}    set local synchronous_commit = on;\n")
    lazy = "alter database pgqueue set synchronous_commit = off"
    load = {"tasks": 300, "rate": 2_000, "slow": 1, "lease_s": 60, "drain_s": 10}
    report = broken("crash_later", 0, broken=f"{durable};{lazy}", **load)
    gone = [found for found in report.verdict.lost if "was accepted and is gone" in found]
    assert gone or report.verdict.double, report.text()


def test_an_answer_before_the_commit_is_lost(broken) -> None:
    report = broken("kill_api", 1, 2.5, tasks=60, rate=60, api="tests.chaos.hasty")
    assert report.verdict.lost, report.text()
