"""What the nemesis and the ledger are for: a queue whose protection is taken out is found out."""

from pathlib import Path

import pytest

from tests import servers
from tests.chaos.nemesis import Run, Strike, Window, play

pytestmark = pytest.mark.timeout(300)

SQL = Path(__file__).parents[2] / "sql" / "functions"


def changed(function: str, old: str, new: str) -> str:
    """Return the SQL of a function with something else in one place."""
    (file,) = SQL.rglob(f"{function}.sql")
    text = file.read_text()
    assert text.count(old) == 1, "the function is not what it was"
    return text.replace(old, new)


@pytest.fixture
def found(tmp_path: Path, postgres_major: str):
    """Play short runs of a broken queue until one of three seeds shows what is looked for.

    ``n`` faults of one kind are a second and a half apart, from ``first_s`` on.
    """
    binaries = servers.binaries(postgres_major)

    def found(
        damage: str, kind: str = "", n: int = 0, *, first_s: float = 0.5, **options: object
    ) -> None:
        strikes = tuple(Strike(place, kind, first_s + 1.5 * place) for place in range(n))
        run = {"tasks": 600, "rate": 150, "drain_s": 10, **options}
        reports = []
        for seed in range(3):
            windows = [Window(4, strikes)]
            one = Run(windows=windows, seed=seed, binaries=binaries, **run)
            reports.append(play(one, tmp_path / str(seed)))
            if getattr(reports[-1].verdict, damage):
                return
        pytest.fail("\n\n".join(report.text() for report in reports))

    return found


LIVES = "w.id = r.worker_id and w.state in ('active', 'draining')"


def test_a_finish_without_a_fence_is_stale(found) -> None:
    holds, task = "(r.task_id, r.lease_id) = (i.task_id, i.lease_id)", "r.task_id = i.task_id"
    without = changed("finish", holds, task) + changed("complete", holds, task)
    # every task changes hands while it runs
    found("stale", slow=0.5, broken=without + changed("rescue", LIVES, "false"), lease_s=60)


def test_a_rescue_that_does_not_look_at_the_lease_repeats_what_nothing_broke(found) -> None:
    found("unexplained", slow=0.5, broken=changed("rescue", LIVES, "false"), lease_s=60)


def test_a_completion_that_is_not_durable_is_accepted_twice(found) -> None:
    begin = "begin\n    if cardinality(lease_ids)"
    hasty = "begin\n    perform set_config('synchronous_commit', 'off', true);"
    late = changed("finish", begin, f"{hasty}\n    if cardinality(lease_ids)")
    # all is asked for before the first crash: a commit of clients writes what came before it, too
    found("double", "crash_postgresql", 3, first_s=2, rate=3_000, slow=0.3, broken=late)


def test_an_answer_before_the_commit_is_lost(found) -> None:
    found("lost", "kill_api", 3, api="tests.chaos.hasty")
