"""Copies of the checkout to break, and the tests run in them. The checkout is never touched."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.mutants.mutant import Change

__all__ = ["ROOT", "Tree"]

ROOT = Path(__file__).resolve().parents[2]
_PARTS = ("api", "pgqueue", "sql", "tests", "worker", "pytest_pgqueue.py", "pyproject.toml")
_LONGEST_S = 600
# by name: to load all that are installed takes longer than most of the tests
_PLUGINS = [
    part
    for name in ("no:cacheprovider", "anyio", "pytest_timeout", "xdist", "tests.mutants.verdicts")
    for part in ("-p", name)
]


class Tree:
    """A copy of what the tests need, with its own packages imported from it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def copied(cls, source: Path, to: Path) -> "Tree":
        to.mkdir(parents=True)
        for part in _PARTS:
            if (source / part).is_dir():
                shutil.copytree(source / part, to / part, symlinks=True)
            else:
                shutil.copy2(source / part, to / part)
        return cls(to)

    def change(self, changes: Iterable[Change]) -> None:
        for change in changes:
            change.apply(self.root)

    def loads(self, changes: Iterable[Change]) -> bool:
        """Say whether the modules that were changed can still be imported, from this tree."""
        files = [Path(change.file) for change in changes if change.file.endswith(".py")]
        code = "import importlib, sys; print(importlib.import_module(sys.argv[1]).__file__)"
        for file in files:
            parts = file.with_suffix("").parts
            module = ".".join(parts[parts[0] in ("api", "worker") :])
            if self._python("-c", code, module).stdout.strip() != str(self.root / file):
                return False
        return True

    def test(
        self, tests: Iterable[str], *options: str, environment: Mapping[str, str]
    ) -> tuple[dict[str, str], str]:
        """Run tests; gives the verdict on each (see verdicts.py), and what pytest said."""
        verdicts = self.root / "verdicts.json"
        run = self._python(
            *("-m", "pytest", "-q", *_PLUGINS),
            *("--verdicts", str(verdicts), *options, *tests),
            PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
            **environment,
        )
        of = json.loads(verdicts.read_text()) if verdicts.exists() else {}
        return of, run.stdout

    def _python(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        path = os.pathsep.join(str(self.root / part) for part in (".", "api", "worker"))
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": path, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LONGEST_S,
            check=False,
        )
