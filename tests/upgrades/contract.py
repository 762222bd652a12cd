"""What a release owes to the one before it, whose workers and APIs still run: see docs/adr/0011."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path

import psycopg

from tests.upgrades.releases import Release

__all__ = ["entangled", "misunderstood", "outstayed", "unnumbered"]

_SEVERAL = {"create_schema"}  # statements: what makes the first schema meets none
_ALTERED = re.compile(
    r"^alter table (?:if exists |only )*(?:\w+\.)?(\w+)", re.IGNORECASE | re.MULTILINE
)
_PARAMETER = re.compile(r"%\((\w+)\)s")


def misunderstood(release: Release, connection: psycopg.Connection) -> list[str]:
    """Return the queries of a release that a schema does not understand, and why.

    Each is analysed as a prepared statement: tables, columns, functions and their arguments must
    be there, whatever its parameters are.
    """
    found = []
    connection.execute("deallocate all")
    for name, text in _queries(release.sql / "queries"):
        if ("pgqueue." in text or "pgqueue_private." in text) and name not in _SEVERAL:
            result = connection.pgconn.prepare(name.encode(), _numbered(text).encode())
            if result.error_message:
                found.append(f"{name}: {result.get_error_message().splitlines()[0]}")
    return found


def entangled(release: Release) -> list[str]:
    """Return the migrations that hold the lock of one table while they wait for that of another.

    A transaction that has the other, and needs the one, is then in a deadlock with it.
    """
    return [
        file.name
        for file in sorted((release.sql / "migrations").glob("*.sql"))
        if len(set(_ALTERED.findall(file.read_text()))) > 1
    ]


def outstayed(release: Release, before: Release) -> list[str]:
    """Return what was kept for the release before the last, and is still there."""
    return sorted(_texts(release, "compat").keys() & _texts(before, "compat").keys())


def unnumbered(release: Release, before: Release) -> bool:
    """Say whether functions or views changed without a migration, which is their number."""
    changed = any(
        _texts(release, folder) != _texts(before, folder)
        for folder in ("functions", "compat", "views")
    )
    return changed and release.version <= before.version


def _texts(release: Release, folder: str) -> dict[str, str]:
    return {file.stem: file.read_text() for file in (release.sql / folder).rglob("*.sql")}


def _queries(folder: Path) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for file in sorted(folder.glob("*.sql")):
        _, *parts = re.split(r"^-- name: (\w+).*$", file.read_text(), flags=re.MULTILINE)
        found += zip(parts[::2], parts[1::2], strict=True)
    return found


def _numbered(text: str) -> str:
    """Return a query with PostgreSQL's own parameters."""
    numbers, names = count(1), dict[str, int]()
    for name in _PARAMETER.findall(text):
        if name not in names:
            names[name] = next(numbers)
    return _PARAMETER.sub(lambda found: f"${names[found[1]]}", text).replace("%%", "%")
