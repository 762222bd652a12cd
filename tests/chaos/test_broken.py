"""What the nemesis and the ledger are for: a queue whose protection is taken out is found out."""

from pathlib import Path

import pytest

from tests import servers
from tests.chaos.nemesis import Report, Run, Strike, Window, play

pytestmark = pytest.mark.timeout(300)

SQL = Path(__file__).parents[2] / "sql" / "functions"


def changed(function: str, old: str, new: str) -> str:
    """Give the SQL of a function with something else in one place."""
    text = (SQL / f"{function}.sql").read_text()
    assert text.count(old) == 1, "the function is not what it was"
    return text.replace(old, new)


@pytest.fixture
def broken(tmp_path: Path, postgres_major: str):
    """Play a short run of a broken queue under faults of one kind, a second and a half apart."""

    def broken(kind: str = "", n: int = 0, **options: object) -> Report:
        strikes = tuple(Strike(place, kind, 0.5 + 1.5 * place) for place in range(n))
        run = {"tasks": 600, "rate": 150, "drain_s": 30, **options}
        binaries = servers.binaries(postgres_major)
        return play(Run(windows=[Window(4, strikes)], binaries=binaries, **run), tmp_path)

    return broken


def test_a_finish_without_a_fence_is_stale(broken) -> None:
    holds, task = "(r.task_id, r.lease_id) = (i.task_id, i.lease_id)", "r.task_id = i.task_id"
    without = changed("finish", holds, task) + changed("complete", holds, task)
    report = broken("freeze", 2, slow=0.5, broken=without)
    assert report.verdict.stale, report.text()


def test_a_rescue_that_does_not_look_at_the_lease_repeats_what_nothing_broke(broken) -> None:
    lives = "w.id = r.worker_id and w.state in ('active', 'draining')"
    report = broken(slow=0.5, broken=changed("rescue", lives, "false"), lease_s=60)
    assert report.verdict.unexplained, report.text()


def test_a_completion_that_is_not_durable_is_accepted_twice(broken) -> None:
    begin = "begin\n    if cardinality(lease_ids)"
    hasty = "begin\n    perform set_config('synchronous_commit', 'off', true);"
    late = changed("finish", begin, f"{hasty}\n    if cardinality(lease_ids)")
    report = broken("crash_postgresql", 4, tasks=1_500, rate=1_000, slow=0.1, broken=late)
    assert report.verdict.double, report.text()


def test_an_answer_before_the_commit_is_lost(broken) -> None:
    report = broken("kill_api", 2, api="tests.chaos.hasty")
    assert report.verdict.lost, report.text()
