"""Everything is broken at random under load, and the ledger finds nothing; see `make chaos`."""

from collections import Counter
from pathlib import Path

import pytest

from tests import servers
from tests.chaos.faults import KINDS
from tests.chaos.nemesis import Run, Window, plan, play
from tests.figures import Figure


def test_a_seed_gives_the_same_windows_with_the_same_faults_in_them() -> None:
    assert plan(7, 100) == plan(7, 100)
    assert plan(7, 100) != plan(8, 100)


def test_windows_last_10_to_30_s_and_every_fourth_is_quiet() -> None:
    windows = plan(7, 100)
    kinds = Counter(strike.kind for window in windows for strike in window.strikes)
    assert kinds.total() == 100
    assert set(kinds) == set(KINDS)
    assert max(kinds.values()) - min(kinds.values()) <= 1, "all kinds get their turn"
    for n, window in enumerate(windows):
        assert 10 <= window.seconds <= 30
        assert bool(window.strikes) == (n % 4 != 3)
        assert all(strike.after_s < window.seconds for strike in window.strikes)


@pytest.mark.timeout(300)
def test_nothing_is_executed_again_where_nothing_breaks(
    tmp_path: Path, postgres_major: str, figure: Figure
) -> None:
    run = Run(800, [Window(8)], lease_s=60, binaries=servers.binaries(postgres_major))
    report = play(run, tmp_path)
    assert report.passed, report.text()
    assert report.verdict.reexecutions == 0
    assert report.verdict.executions > report.verdict.completed > 600, "some failed as planned"
    figure("nothing", f"0 of {report.verdict.executions} executions were repeated", "0")


@pytest.mark.faketime
@pytest.mark.timeout(600)
def test_two_minutes_of_every_fault_lose_nothing_and_repeat_no_completion(
    tmp_path: Path, postgres_major: str, figure: Figure
) -> None:
    windows = plan(9, len(KINDS))
    run = Run(8_000, windows, seed=9, binaries=servers.binaries(postgres_major))
    report = play(run, tmp_path)
    assert report.passed, report.text()
    assert set(report.faults) == set(KINDS)
    v = report.verdict
    figure(
        "any of these, at random",
        f"{v.acknowledged:,} tasks, {report.faults.total()} faults: lost 0, double 0, stale 0,"
        f" phantom 0, unexpected 0; {v.reexecutions} re-executions",
        f"0 of each, and no more than the {v.in_flight} leases in flight",
    )
