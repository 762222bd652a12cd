"""A release to come: this one's SQL in a directory of its own, to be changed by a test."""

import re
import shutil
from pathlib import Path

import pytest

from pgqueue.database import migrations
from pgqueue.database.queries import SQL

__all__ = ["Release"]


class Release:
    """What ``migrate`` brings while the test lasts."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sql = folder / "sql"
        shutil.copytree(SQL.resolve(), self.sql)
        monkeypatch.setattr(migrations, "SQL", self.sql)

    def migration(self, text: str, name: str = "later") -> str:
        """Add a migration; give what it is called."""
        version = migrations.code_version() + 1
        (self.sql / "migrations" / f"{version:04}_{name}.sql").write_text(text)
        return f"{version:04} {name}"

    def function(self, name: str, definition: str, folder: str = "functions") -> None:
        """Add a function, or change one: what stands between its name and its body, and that."""
        (self.sql / folder).mkdir(exist_ok=True)
        file = self.sql / folder / f"{name}.sql"
        file.write_text(f"create or replace function pgqueue.{name}{definition};")

    def view(self, name: str, select: str) -> None:
        """Add a view, or change one."""
        file = self.sql / "views" / f"{name}.sql"
        file.write_text(f"create or replace view pgqueue.{name} as {select};")

    def without(self, path: str) -> None:
        """Take a file out."""
        (self.sql / path).unlink()

    def change(self, path: str, pattern: str, replacement: str) -> None:
        """Change a file at the one place that matches."""
        file = self.sql / path
        text, n = re.subn(pattern, replacement, file.read_text(), count=1)
        assert n, f"{path} holds no {pattern}"
        file.write_text(text)
