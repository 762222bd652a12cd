"""The schema: migrations forward only, functions and views replaced as a whole.

``migrate`` may be called by any number of processes at once: one does the work, the others wait for
it. A migration waits for locks a short time and tries again, so it never queues the service behind
a long reader. Each step is a transaction of its own: one that is interrupted leaves nothing, and
the next call continues from there.

The first lines of a migration may hold these settings:

``-- min_code: N``
    Workers and APIs of an earlier version must be gone: they are not ready from then on.
``-- transaction: none``
    Each of its statements runs alone (``create index concurrently``). After an interruption it runs
    again from its first statement, so each must be repeatable; each ends with ``;`` and a newline.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pgqueue.database.connection import connected
from pgqueue.database.patience import Busy, silent, until_free
from pgqueue.database.queries import SQL, query
from pgqueue.database.replacing import replace_functions, replace_views
from pgqueue.errors import SchemaMismatch, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

    from pgqueue.database.patience import Tell


@dataclass(frozen=True)
class Migration:
    """One file of ``sql/migrations``: ``NNNN_name.sql``."""

    version: int
    name: str
    file: Path

    def __str__(self) -> str:
        """Return its number and name, as people see it."""
        return f"{self.version:04} {self.name}"


@dataclass(frozen=True)
class Plan:
    """What ``migrate`` would do."""

    version: int
    """Of the schema; 0: there is none."""
    waiting: list[str]
    """Migrations that it would apply."""
    replaces: bool
    """Whether it would replace functions and views."""


def migrations() -> list[Migration]:
    """Return the migrations that this code brings, in order."""
    return [
        Migration(int(file.name[:4]), file.stem[5:], file)
        for file in sorted((SQL / "migrations").glob("[0-9][0-9][0-9][0-9]_*.sql"))
    ]


def code_version() -> int:
    """Return the schema version that this code was written for."""
    return migrations()[-1].version


def migrate(dsn: str, tell: Tell = silent) -> list[str]:
    """Bring the schema up to this code's version and return the names of the applied migrations.

    ``tell`` is called with what it waits for. Raise ``SchemaMismatch`` if the schema is newer and
    no longer allows this code, ``DatabaseUnavailable``, which names the session to end, if a lock
    was not free for two minutes, and ``UsageError`` if a view of the user's is in the way or the
    database is not encoded in UTF8.
    """
    applied: list[str] = []
    with _connected(dsn) as connection:
        while (done := until_free(connection, lambda: _step(connection, dsn), tell)) is not None:
            applied.append(done)
    return applied


async def migrate_async(dsn: str) -> list[str]:
    """``migrate`` without blocking the event loop."""
    return await asyncio.to_thread(migrate, dsn)


def plan(dsn: str) -> Plan:
    """Return what ``migrate`` would do, without a change and without waiting."""
    with _connected(dsn) as connection:
        if not _schema_exists(connection):
            return Plan(0, [str(migration) for migration in migrations()], replaces=True)
        version, min_code = _row(connection, "applied_migrations")
        if (version or 0) > code_version():
            check(version, min_code)
            return Plan(version, [], replaces=False)
        code = _code(connection)
        waiting = [str(m) for m in migrations() if m.version > (version or 0)]
        return Plan(version or 0, waiting, replaces=code is None or code[1] != digest())


def check(version: int | None, min_code: int | None) -> None:
    """Raise ``SchemaMismatch`` unless a schema at this version serves this code."""
    mine = code_version()
    if version is None or version < mine:
        message = f"the schema is at version {version or 0}, this code needs {mine}"
        raise SchemaMismatch(message, hint="run `pgqueue migrate`")
    if min_code is not None and min_code > mine:
        message = f"the schema needs code of version {min_code} or later, this is {mine}"
        raise SchemaMismatch(message, hint="upgrade pgqueue")


def digest() -> str:
    """Return the digest of the functions and views of this code."""
    return _digest(*(text for _, text in _functions()), *_texts("views").values())


def _step(connection: psycopg.Connection[Any], dsn: str) -> str | None:
    """Apply the next migration; if there is none, replace functions and views and return None."""
    with connection.transaction():
        if not _one(connection, "begin_migration"):
            raise Busy
        if not _schema_exists(connection):
            connection.execute(query("create_schema"))
        connection.execute(query("prepare_migration"))
        version, min_code = _row(connection, "applied_migrations")
        if version is not None and version > code_version():
            check(version, min_code)
            return None
        waiting = [m for m in migrations() if m.version > (version or 0)]
        if not waiting:
            _bring_code(connection)
            return None
        if version is None:
            replace_functions(connection, _functions())  # the first tables' checks use them
        _apply(connection, waiting[0], dsn)
        return str(waiting[0])


def _schema_exists(connection: psycopg.Connection[Any]) -> bool:
    made, outdated = _row(connection, "schema_exists")
    if outdated:
        message = "the schema pgqueue of this database is from before the first release"
        hint = "drop it (`drop schema pgqueue cascade` loses all tasks), then run `pgqueue migrate`"
        raise SchemaMismatch(message, hint=hint)
    return bool(made)


def _apply(connection: psycopg.Connection[Any], migration: Migration, dsn: str) -> None:
    text = migration.file.read_text(encoding="utf-8")
    if re.search(r"^-- transaction: none$", text, re.MULTILINE):
        # the turn is held by the transaction here, which holds no snapshot that they wait for
        with _connected(dsn) as alone:
            alone.execute(query("prepare_lone_statements"))
            for statement in re.split(r";\s*\n", text):
                if re.sub(r"--.*", "", statement).strip():
                    alone.execute(statement)
    else:
        connection.execute(text)
    found = re.search(r"^-- min_code: (\d+)$", text, re.MULTILINE)
    connection.execute(
        query("record_migration"),
        {
            "version": migration.version,
            "name": migration.name,
            "min_code": int(found[1]) if found else None,
        },
    )


def _bring_code(connection: psycopg.Connection[Any]) -> None:
    code, mine = _code(connection), digest()
    if code is None or code[:2] != (code_version(), mine):
        replace_functions(connection, _functions())
        views = _texts("views")
        digests = {name: _digest(text) for name, text in views.items()}
        known = {} if code is None else code[2]
        replace_views(
            connection, views, {name for name in views if digests[name] != known.get(name)}
        )
        connection.execute(
            query("record_code"),
            {
                "version": code_version(),
                "digest": mine,
                "views": json.dumps(digests),
            },
        )
    connection.execute(query("make_partitions"), {"days": 8})


def _functions() -> list[tuple[str, str]]:
    return [*_texts("functions").items(), *_texts("compat").items()]


def _texts(folder: str) -> dict[str, str]:
    return {
        file.stem: file.read_text(encoding="utf-8")
        for file in sorted((SQL / folder).rglob("*.sql"))
    }


def _digest(*texts: str) -> str:
    return hashlib.sha256("".join(texts).encode()).hexdigest()


@contextmanager
def _connected(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with connected(dsn, "pgqueue migrate") as connection:
        name, encoding = _row(connection, "database_encoding")
        if encoding != "UTF8":
            raise UsageError(
                f"the database {name} is encoded in {encoding}, pgqueue needs UTF8",
                hint="make another: create database … encoding 'UTF8' template template0",
            )
        yield connection


def _row(connection: psycopg.Connection[Any], name: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = connection.execute(query(name)).fetchone()
    assert row is not None
    return row


def _code(connection: psycopg.Connection[Any]) -> tuple[int, str, dict[str, str]] | None:
    return connection.execute(query("schema_code")).fetchone()


def _one(connection: psycopg.Connection[Any], name: str) -> object:
    row = connection.execute(query(name)).fetchone()
    return row[0] if row else None
