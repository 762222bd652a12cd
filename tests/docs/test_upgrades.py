"""The chapter on upgrades shows what the command says."""

import re
import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import blocks
from tests.upgrades.releases import next_one, this_one


def test_the_commands_say_what_is_shown(database: str, tmp_path: Path) -> None:
    """The migrations shown are those of the release that tests/upgrades makes up."""
    version = this_one(tmp_path / "this").version
    release = next_one(tmp_path / "next")
    (shown,) = blocks("upgrades.md", "console")
    said = []
    for command in re.findall(r"^\$ pgqueue (.*?)(?: *#.*)?$", shown, re.MULTILINE):
        done = subprocess.run(
            [sys.executable, "-m", "pgqueue", *command.split()],
            env={**release.environment, "PGQUEUE_DATABASE_URL": database},
            cwd=release.folder,
            check=True,
            capture_output=True,
            text=True,
        )
        said += done.stdout.splitlines()
    expected = [line for line in shown.splitlines() if not line.startswith("$")]
    # the page need not follow each migration of ours
    for old, new in tuple((12 + n, version + n) for n in (3, 2, 1, 0)):
        expected = [
            re.sub(rf"\b(00)?{old}\b", lambda m, n=new: f"{m[1] or ''}{n}", line)
            for line in expected
        ]
    assert said == expected
