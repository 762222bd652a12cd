"""``make chaos``: so many tasks, so many faults; exits with 1 and the evidence."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.faults import CLOCKS, KINDS
from tests.chaos.nemesis import Run, plan, play


def main() -> int:
    """Play, print, and keep the histories where something was found."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--without", action="append", default=[], choices=["faketime"])
    given = parser.parse_args()
    kinds = [kind for kind in KINDS if kind not in CLOCKS or "faketime" not in given.without]
    run = Run(given.tasks, plan(given.seed, given.faults, kinds), given.seed)
    folder = Path(tempfile.mkdtemp(prefix=f"pgqueue-chaos-{given.seed}-"))
    quiet = sum(not window.strikes for window in run.windows)
    print(f"seed          {given.seed}")
    print(f"windows       {len(run.windows)}, {quiet} of them quiet, {run.seconds / 60:.1f} min")
    print(f"histories     {folder}", flush=True)
    report = play(run, folder)
    print(report.text())
    if report.passed:
        shutil.rmtree(folder)
    return not report.passed


if __name__ == "__main__":
    sys.exit(main())
