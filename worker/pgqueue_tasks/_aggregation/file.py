"""A CSV or Parquet file as the table `data`: DuckDB reads it during the query, never as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb

from pgqueue_tasks.errors import InputRefused

from .convert import detect_text
from .frame import Column, check_columns, unknown_columns
from .models import AggregationPayload, ColumnType

__all__ = ["DataFile", "read_file", "view_file"]

Format = Literal["csv", "parquet"]

_SAMPLED = 20_000
_INT64 = 2**63
_NATIVE: dict[str, ColumnType] = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), "integer"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"), "integer"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "number"),
    "BOOLEAN": "boolean",
    "DATE": "date",
    "VARCHAR": "text",
}
_SQL_TYPES: dict[ColumnType, str] = {
    "number": "double",
    "decimal": "decimal(38,10)",
    "text": "varchar",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file that this process may read."""

    path: str
    format: Format


def read_file(
    connection: duckdb.DuckDBPyConnection, payload: AggregationPayload, file: DataFile
) -> list[Column]:
    """The columns of the file, without values; a CSV's types are those of its first 20,000 rows."""
    relation = _relation(payload, file)
    select = f"select * from {relation} limit "  # noqa: S608 - ours
    cursor = connection.execute(f"{select} 0")  # the columns are counted before a row is read
    described = [(str(column[0]), str(column[1])) for column in cursor.description or ()]
    check_columns(len(described))
    names = [name for name, _ in described]
    if unknown := [name for name in payload.types if name not in names]:
        raise InputRefused(unknown_columns("types", unknown, names))
    if file.format == "csv":
        rows = connection.execute(f"{select} {_SAMPLED}").fetchall()
        values = [[row[n] or None for row in rows] for n in range(len(names))]
        kinds = [detect_text(column) for column in values]
        wide = [_is_wide(kind, column) for kind, column in zip(kinds, values, strict=True)]
    else:
        kinds = [_native(kind) for _, kind in described]
        wide = [False] * len(names)
    # one value tells load() and build_query() how wide an integer is
    return [
        Column(name, payload.types.get(name, kind), [_INT64] if huge else [])
        for name, kind, huge in zip(names, kinds, wide, strict=True)
    ]


def view_file(
    connection: duckdb.DuckDBPyConnection,
    payload: AggregationPayload,
    file: DataFile,
    columns: Sequence[Column],
    names: Sequence[str],
) -> None:
    """Make the file the table `data`, with typed columns of these names."""
    folded = [name.casefold() for name in names]
    if twice := sorted({name for name in names if folded.count(name.casefold()) > 1}):
        raise InputRefused(
            f"these column names differ only in case, which SQL ignores: {', '.join(twice)}"
        )
    shown = ", ".join(
        f"{_typed(column, file)} as {_quoted(name)}"
        for column, name in zip(columns, names, strict=True)
    )
    connection.execute(f"create view data as select {shown} from {_relation(payload, file)}")  # noqa: S608


def _typed(column: Column, file: DataFile) -> str:
    name = _quoted(column.name)
    if file.format == "csv":
        name = f"nullif({name}, '')"
    if column.type == "integer":
        return f"{name}::{'hugeint' if column.values else 'bigint'}"
    return f"{name}::{_SQL_TYPES[column.type]}"


def _relation(payload: AggregationPayload, file: DataFile) -> str:
    path = _text(file.path)
    if file.format == "parquet":
        return f"read_parquet({path})"
    return (
        f"read_csv({path}, all_varchar = true, header = true, delim = {_text(payload.delimiter)}, "
        """quote = '"', escape = '"', compression = 'none', strict_mode = true)"""
    )


def _native(kind: str) -> ColumnType:
    if kind.startswith("DECIMAL"):
        return "decimal"
    if kind.startswith("TIMESTAMP"):
        return "timestamp"
    return _NATIVE.get(kind, "text")


def _is_wide(kind: ColumnType, values: list[str | None]) -> bool:
    return kind == "integer" and any(v and not -_INT64 <= int(v) < _INT64 for v in values)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
