"""What a process whose clock is wrong is told."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.chaos.clocks import wrong_clock

Ask = Callable[[str], tuple[timedelta, float]]

TELL = "import time\nwhile input(): print(time.time(), time.monotonic(), flush=True)"


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """Ask a process with a wrong clock for its time of day and its monotonic clock."""
    with wrong_clock(tmp_path, "+1h") as clock:
        process = subprocess.Popen(
            [sys.executable, "-c", TELL],
            env=clock.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None

        def asked(offset: str) -> tuple[timedelta, float]:
            clock.set(offset)
            print("?", file=process.stdin, flush=True)
            day, monotonic = map(float, process.stdout.readline().split())
            return datetime.fromtimestamp(day, UTC) - datetime.now(UTC), monotonic

        yield asked
        process.kill()
        process.communicate()
        assert left_by(process.pid), "a killed process leaves its shared memory"
    assert not left_by(process.pid)


def left_by(pid: int) -> list[Path]:
    return list(Path("/dev/shm").glob(f"*faketime_*_{pid}"))


@pytest.mark.faketime
@pytest.mark.parametrize(
    ("offset", "by"),
    [("+1h", timedelta(hours=1)), ("-1h", timedelta(hours=-1)), ("+10y", timedelta(days=3650))],
)
def test_a_wrong_clock_tells_a_wrong_time_of_day_and_may_be_set_again(
    ask: Ask, offset: str, by: timedelta
) -> None:
    for way, expected in ((offset, by), ("+0", timedelta())):
        before = time.monotonic()
        off, monotonic = ask(way)
        assert abs(off - expected) < timedelta(minutes=1)
        assert before <= monotonic <= time.monotonic(), "the monotonic clock is right"
