"""A private in-memory DuckDB that reaches nothing outside itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

import duckdb

from pgqueue_tasks.errors import InputRefused

from .frame import Column

__all__ = ["load", "open_session", "plain_message"]

MEMORY_LIMIT = "256MB"


def open_session(path: str | None = None) -> duckdb.DuckDBPyConnection:
    """A new database without files, network, extensions or Python variables; bounded memory.

    Of files it sees the one at ``path``. The settings cannot be changed from SQL afterwards.
    """
    connection = duckdb.connect(
        ":memory:",
        config={
            "enable_external_access": "false" if path is None else "true",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
            "temp_directory": "",
            "memory_limit": MEMORY_LIMIT,
            "threads": "1",
        },
    )
    connection.execute("set timezone = 'UTC'")
    if path is not None:  # it can be set only once the database runs
        quoted = path.replace("'", "''")
        connection.execute(f"set allowed_paths = ['{quoted}']")
        connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def load(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[Column], names: Sequence[str]
) -> None:
    """Fill the table `data` with columns of these names (quoted) and values (parameters)."""
    folded = [name.casefold() for name in names]
    if twice := sorted({n for n in names if folded.count(n.casefold()) > 1}):
        raise InputRefused(
            f"these column names differ only in case, which SQL ignores: {', '.join(twice)}"
        )
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    parts = zip(quoted, columns, strict=True)
    selected = ", ".join(f"unnest(?::{column.sql_type}[]) as {name}" for name, column in parts)
    connection.execute(f"create table data as select {selected}", [c.values for c in columns])


def plain_message(error: duckdb.Error) -> str:
    """DuckDB's message without its advice to the administrator, at most 2,000 characters."""
    message = re.split(r"\n\n(?!LINE )", str(error).strip())[0]
    return message.replace("\x00", "\ufffd")[:2000]
