"""Releases in folders of their own, whose code runs from there: this one, one to come, the last.

A release is found by ``PYTHONPATH``; its `tests` package is its own, too, for the handlers in it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pgqueue.database.queries import SQL

__all__ = ["TOP", "Release", "last_released", "next_one", "tags", "this_one"]

TOP = Path(__file__).parents[2]
_PACKAGES = {"pgqueue": "pgqueue", "api/pgqueue_api": "pgqueue_api"}
_PACKAGES |= {"worker/pgqueue_worker": "pgqueue_worker", "worker/pgqueue_tasks": "pgqueue_tasks"}
_PACKAGES |= {"tests": "tests"}
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "_sql")


@dataclass(frozen=True)
class Release:
    """A release: its name, and where it is."""

    name: str
    folder: Path

    @property
    def sql(self) -> Path:
        """Where its SQL is."""
        return self.folder / "pgqueue" / "_sql"

    @property
    def environment(self) -> dict[str, str]:
        """What makes Python import it, and nothing of another."""
        return {**os.environ, "PYTHONPATH": str(self.folder)}

    @property
    def version(self) -> int:
        """The version of its schema."""
        return max(int(file.name[:4]) for file in (self.sql / "migrations").glob("*.sql"))

    def change(self, path: str, pattern: str, replacement: str) -> None:
        """Change a file of its SQL at the one place that matches."""
        file = self.sql / path
        text, n = re.subn(pattern, replacement, file.read_text())
        assert n == 1, f"{path} holds {pattern} {n} times"
        file.write_text(text)

    def write(self, path: str, text: str) -> None:
        """Add a file to its SQL."""
        (self.sql / path).parent.mkdir(exist_ok=True)
        (self.sql / path).write_text(text)


def this_one(folder: Path, name: str = "this", top: Path = TOP, sql: Path = SQL) -> Release:
    """Copy the release that is in a tree."""
    for source, target in _PACKAGES.items():
        shutil.copytree(top / source, folder / target, ignore=_LEFT_OUT)
    release = Release(name, folder)
    shutil.copytree(sql.resolve(), release.sql)
    return release


def next_one(folder: Path, *, kept: bool = True) -> Release:
    """Make a release to come: this one, and one change of each kind that docs/adr/0011 speaks of.

    Without ``kept`` it breaks the rule: what this release still calls is not there any more.
    """
    release = this_one(folder, "next")
    version = release.version + 1
    for n, (name, table) in enumerate((("note", "task"), ("running_note", "running"))):
        release.write(
            f"migrations/{version + n:04}_{name}.sql",
            f"alter table {table} add column note text;\n",
        )
    release.write(
        f"migrations/{version + 2:04}_worker_host.sql",
        "-- transaction: none\n"
        "-- squawk-ignore-file ban-concurrent-index-creation-in-transaction\n"
        "drop index concurrently if exists pgqueue_private.worker_host;\n"
        "create index concurrently worker_host on pgqueue_private.worker (host);\n",
    )
    _add_an_argument(release)
    _add_columns(release)
    _change_a_signature(release, kept=kept)
    return release


def _add_an_argument(release: Release) -> None:
    release.change(
        "functions/claims/heartbeat.sql",
        r"lease_s float8, out active",
        "lease_s float8, note text default null, out active",
    )
    release.change(
        "queries/worker.sql",
        r"pgqueue_private\.heartbeat\((.*)\)",
        r"pgqueue_private.heartbeat(\1, 'of the next release')",
    )


def _add_columns(release: Release) -> None:
    """To the result of a function, at the end of a view, and at the beginning of another."""
    release.change(
        "functions/claims/claim.sql", r"batch_id uuid\n\)", "batch_id uuid, note text\n)"
    )
    release.change(
        "functions/claims/claim.sql",
        r"l\.batch_id\n    from leased as l;",
        "l.batch_id, null::text\n    from leased as l;",
    )
    release.change(
        "views/tasks.sql",
        r"\nfrom pgqueue_private\.task as t",
        ",\n    t.note\nfrom pgqueue_private.task as t",
    )
    release.change("views/queues.sql", r"as\nselect\n", "as\nselect\n    'new' as news,\n")


def _change_a_signature(release: Release, *, kept: bool) -> None:
    release.change(
        "functions/claims/finish.sql", r"\n    results jsonb,", "\n    release text, results jsonb,"
    )
    release.change("functions/tasks/complete_attempt.sql", r"from finish\(", "from finish('sql', ")
    release.change(
        "queries/worker.sql", r"pgqueue_private\.finish\(", "pgqueue_private.finish('next', "
    )
    if kept:
        release.write(
            "compat/finish.sql",
            "create or replace function pgqueue_private.finish(\n"
            "    results jsonb, task_ids uuid[], lease_ids bigint[],\n"
            "    out refused bigint[], out watched boolean\n"
            ")\n"
            "language sql\n"
            "as $$ select * from pgqueue_private.finish('this', results, task_ids, "
            "lease_ids) $$;\n",
        )


def last_released(folder: Path, top: Path = TOP) -> Release | None:
    """Unpack what has the newest tag ``v*`` of a tree's history; None: nothing is released yet."""
    released = tags(top)
    if not released:
        return None
    source = folder / "source"
    source.mkdir(parents=True)
    archive = _git(top, "archive", released[0])
    subprocess.run(["tar", "-x", "-C", source], input=archive, check=True)
    return this_one(folder / "release", released[0], source, source / "sql")


def tags(top: Path = TOP) -> list[str]:
    """Return the tags of releases in a tree's history, the newest first."""
    if not (top / ".git").exists():
        return []
    return _git(top, "tag", "--list", "v*", "--sort=-version:refname").decode().split()


def _git(top: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", top, *arguments], check=True, capture_output=True).stdout
