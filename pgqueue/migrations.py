"""The schema: migrations forward only, functions and views replaced as a whole.

``migrate`` may be called by any number of processes at once: one does the work, the others wait for
it. A migration waits for locks a short time and tries again, so it never queues the service behind
a long reader.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from pgqueue.database import connection_arguments, translated
from pgqueue.errors import SchemaMismatch
from pgqueue.queries import SQL, query

if TYPE_CHECKING:
    from pathlib import Path

_LOCK_TRIES = 60


@dataclass(frozen=True)
class Migration:
    """One file of ``sql/migrations``: ``NNNN_name.sql``."""

    version: int
    name: str
    file: Path


def migrations() -> list[Migration]:
    """Give the migrations that this code brings, in order."""
    return [
        Migration(int(file.name[:4]), file.stem[5:], file)
        for file in sorted((SQL / "migrations").glob("[0-9][0-9][0-9][0-9]_*.sql"))
    ]


def code_version() -> int:
    """Give the schema version that this code was written for."""
    return migrations()[-1].version


def migrate(dsn: str) -> list[str]:
    """Bring the schema up to this code's version and give the names of what was applied.

    Raises ``SchemaMismatch`` when the schema is newer and no longer allows this code.
    """
    with (
        translated(),
        psycopg.connect(dsn, **connection_arguments("pgqueue migrate")) as connection,
    ):
        for tries_left in reversed(range(_LOCK_TRIES)):
            try:
                return _migrate(connection)
            except psycopg.errors.LockNotAvailable:
                if not tries_left:
                    raise
                time.sleep(random.uniform(0.5, 1.5))  # noqa: S311  spread, not secrecy
    raise AssertionError


async def migrate_async(dsn: str) -> list[str]:
    """``migrate`` without blocking the event loop."""
    return await asyncio.to_thread(migrate, dsn)


def check(version: int | None, min_code: int | None) -> None:
    """Raise ``SchemaMismatch`` unless a schema at this version serves this code."""
    mine = code_version()
    if version is None or version < mine:
        message = f"the schema is at version {version or 0}, this code needs {mine}"
        raise SchemaMismatch(message, hint="run `pgqueue migrate`")
    if min_code is not None and min_code > mine:
        message = f"the schema needs code of version {min_code} or later, this is {mine}"
        raise SchemaMismatch(message, hint="upgrade pgqueue")


def _migrate(connection: psycopg.Connection[Any]) -> list[str]:
    applied: list[str] = []
    with connection.transaction():
        connection.execute(query("lock_migrations"))
        if not _one(connection, "schema_exists"):
            connection.execute(query("create_schema"))
    while True:
        with connection.transaction():
            connection.execute(query("lock_migrations"))
            connection.execute(query("prepare_migration"))
            version, min_code = _version(connection)
            if version is not None and version > code_version():
                check(version, min_code)
                return applied
            waiting = [m for m in migrations() if m.version > (version or 0)]
            if not waiting:
                break
            migration = waiting[0]
            if version is None:
                _replace_functions(connection)  # the first tables' checks use them
            text = migration.file.read_text()
            found = re.search(r"^-- min_code: (\d+)", text, re.MULTILINE)
            connection.execute(text)
            connection.execute(
                query("record_migration"),
                {
                    "version": migration.version,
                    "name": migration.name,
                    "min_code": int(found[1]) if found else None,
                },
            )
            applied.append(f"{migration.version:04} {migration.name}")
    with connection.transaction():
        connection.execute(query("lock_migrations"))
        connection.execute(query("prepare_migration"))
        mine = digest()
        if _one(connection, "schema_digest") != mine:
            _replace_functions(connection)
            _replace_views(connection)
            connection.execute(query("record_digest"), {"digest": mine})
        connection.execute(query("make_partitions"), {"days": 8})
    return applied


def _version(connection: psycopg.Connection[Any]) -> tuple[int | None, int | None]:
    row = connection.execute(query("schema_version")).fetchone()
    assert row is not None
    return row[0], row[1]


def _one(connection: psycopg.Connection[Any], name: str) -> object:
    row = connection.execute(query(name)).fetchone()
    return row[0] if row else None


def _files(folder: str) -> list[Path]:
    return sorted((SQL / folder).glob("*.sql"))


def digest() -> str:
    """Give what the functions and views that this code brings are known by."""
    files = _files("functions") + _files("views")
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _replace_functions(connection: psycopg.Connection[Any]) -> None:
    for file in _files("functions"):
        connection.execute(file.read_text())


def _replace_views(connection: psycopg.Connection[Any]) -> None:
    # dropped and made again: a view's columns cannot be replaced in place; nobody sees it gone
    connection.execute(query("drop_views"))
    for file in _files("views"):
        connection.execute(file.read_text())
