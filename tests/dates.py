"""Run tests at difficult moments: ``python -m tests.dates [--at NAME]… [argument of pytest]…``.

All processes, PostgreSQL's too, go by a clock that libfaketime sets ahead and that runs on from
there, so a run that begins a minute before a moment passes it. Ends with the names of the moments
at which a test failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from tests.chaos.clocks import library, sweep

MOMENTS = {  # the time zone of the processes, and when they begin
    "midnight": ("UTC", "2027-06-15T23:59:00Z"),
    "half-past-twelve": ("UTC", "2027-06-16T00:30:00Z"),
    "small-hours": ("UTC", "2027-06-16T02:30:00Z"),  # 3 hours before is in the hour before midnight
    "leap-day": ("UTC", "2028-02-28T23:59:00Z"),
    "leap-day-ends": ("UTC", "2028-02-29T23:59:00Z"),
    "new-year": ("UTC", "2027-12-31T23:59:00Z"),
    "summer-time": ("Europe/Berlin", "2027-03-28T00:59:00Z"),
    "winter-time": ("Europe/Berlin", "2027-10-31T00:59:00Z"),
}
# The files of these directories that set a clock or compute with times. Others ask for no date.
PLACES = ("tests/database", "tests/library", "tests/api")
_READS_A_CLOCK = re.compile(r"(shift|stop|running)_clock|timedelta|datetime|NOON|cron")
# Under libfaketime no timeout of PostgreSQL ends anything: its signal handler sees the real time.
TIMEOUTS = [
    "test_doctor.py::test_who_waits_for_a_lock_is_named_with_who_holds_it",
    "test_migration_locks.py::test_a_lock_that_is_never_free_ends_in_an_error_that_says_who_holds_it",
    "test_migration_locks.py::test_others_wait_behind_a_migration_no_longer_than_its_lock_timeout",
    "test_retention.py::test_a_reader_in_the_way_of_the_lock_is_not_waited_for_long",
    "test_retention.py::test_a_task_that_ends_while_its_day_is_copied_keeps_its_end",
    "test_retention.py::test_nothing_is_locked_while_the_day_is_copied",
]
# libfaketime 0.9.10 breaks time.sleep of Python 3.11 and later: see tests/chaos/clocks.py.
_SLEEP = """
import select
import time

time.sleep = lambda seconds: select.select([], [], [], seconds) and None
"""


def main() -> None:
    """Run the tests at each moment."""
    parser = argparse.ArgumentParser(prog="python -m tests.dates", description=__doc__)
    parser.add_argument("--at", action="append", choices=MOMENTS, help="only at this moment")
    options, arguments = parser.parse_known_args()
    if not any(Path(argument.partition("::")[0]).exists() for argument in arguments):
        arguments += [
            str(file)
            for place in PLACES
            for file in sorted(Path(place).rglob("test_*.py"))
            if _READS_A_CLOCK.search(file.read_text())
        ]
    arguments += [f"--deselect=tests/database/{test}" for test in TIMEOUTS]
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "sitecustomize.py").write_text(_SLEEP)
        Path(directory).chmod(0o755)  # for a PostgreSQL that runs as another user
        try:
            failed = [at for at in options.at or MOMENTS if not _passes(at, directory, arguments)]
        finally:
            sweep()
    sys.exit(f"failed at {', '.join(failed)}" if failed else 0)


def _passes(at: str, directory: str, arguments: list[str]) -> bool:
    zone, begin = MOMENTS[at]
    ahead = int(datetime.fromisoformat(begin).timestamp() - time.time())
    print(f"{at}: from {begin}, in {zone}", flush=True)
    environment = {
        **os.environ,
        "TZ": zone,
        "LD_PRELOAD": str(library()),
        "FAKETIME": f"{ahead:+}s",  # an offset: the same clock in all processes
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": directory,
    }
    run = subprocess.run([sys.executable, "-m", "pytest", *arguments], env=environment, check=False)
    return run.returncode == 0


if __name__ == "__main__":
    main()
