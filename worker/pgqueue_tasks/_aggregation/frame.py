"""Turn inline rows, CSV or JSON text into typed columns, before DuckDB sees any of it.

A small text can name many columns, and each column has a value for each row. So columns, rows and
values are counted while they are read, and nothing is built that has more than the bounds.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pgqueue_tasks.errors import InputRefused

from .convert import convert, detect, detect_text
from .models import MAX_COLUMNS, MAX_INPUT_ROWS, AggregationPayload, ColumnType

__all__ = ["Column", "check_columns", "read_columns", "unknown_columns"]

_MAX_CELLS = 1_000_000  # 8 MB a copy: a payload holds far fewer that are not null
_INT64 = 2**63


@dataclass(frozen=True, slots=True)
class Column:
    """A named column; every value is None or of the Python type that `type` stands for."""

    name: str
    type: ColumnType
    values: list[Any]

    @property
    def sql_type(self) -> str:
        """DuckDB's type, wide enough for every value."""
        if self.type == "integer":
            small = all(v is None or -_INT64 <= v < _INT64 for v in self.values)
            return "BIGINT" if small else "HUGEINT"
        return {
            "number": "DOUBLE",
            "decimal": "DECIMAL(38,10)",
            "text": "VARCHAR",
            "boolean": "BOOLEAN",
            "date": "DATE",
            "timestamp": "TIMESTAMP",
        }[self.type]


def read_columns(payload: AggregationPayload) -> list[Column]:
    """All columns of the payload's rows; raises InputRefused naming the column and row at fault."""
    if payload.csv is not None:
        raw = _read_csv(payload.csv, payload.delimiter)
        detect_type = detect_text
    else:
        rows: Iterable[Any] = (
            payload.rows if payload.rows is not None else _read_json(payload.json_text or "")
        )
        raw = _transpose(rows)
        detect_type = detect
    if not all(1 <= len(name) <= 128 and "\x00" not in name and _encodable(name) for name in raw):
        raise InputRefused("every column needs a name of 1 to 128 characters without NUL")
    if unknown := [name for name in payload.types if name not in raw]:
        raise InputRefused(unknown_columns("types", unknown, raw))
    columns = []
    for name, values in raw.items():
        kind = payload.types.get(name) or detect_type(values)
        columns.append(Column(name, kind, convert(name, kind, values)))
    return columns


def _encodable(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)


def unknown_columns(where: str, missing: Iterable[str], known: Iterable[str]) -> str:
    """The message for a name that is no column: says which names there are."""
    names = list(known)
    listed = ", ".join(names[:30]) + (", …" if len(names) > 30 else "")
    return f"{where}: no such column: {', '.join(missing)}. The columns are: {listed}"


def _read_csv(text: str, delimiter: str) -> dict[str, list[Any]]:
    lines = csv.reader(
        io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter, strict=True
    )
    header: list[str] = []
    body: list[list[str]] = []
    try:
        for line in filter(None, lines):
            if not header:
                header = _header(line)
            elif len(line) != len(header):
                raise InputRefused(
                    f"csv record {len(body) + 2} has {len(line)} fields, "
                    f"the header has {len(header)}"
                )
            else:
                body.append(line)
                _check_rows(len(body))
    except csv.Error as error:
        raise InputRefused(f"csv line {lines.line_num}: {error}") from None
    if not header:
        raise InputRefused("csv: the text has no header line")
    _check_cells(len(body), len(header))
    return {
        name: [line[index] if line[index] != "" else None for line in body]
        for index, name in enumerate(header)
    }


def _header(line: list[str]) -> list[str]:
    check_columns(len(line))
    header = [name.strip() for name in line]
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise InputRefused(f"csv: the header names a column twice: {', '.join(twice)[:500]}")
    return header


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _read_json(text: str) -> list[Any]:
    def loads(part: str) -> Any:
        return json.loads(part, parse_constant=_refuse_constant)

    try:
        if text.lstrip().startswith("["):
            rows = loads(text)
        else:
            rows = [loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise InputRefused(f"json: {error}") from None
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise InputRefused(f"json: row {number} is not an object")
    return list(rows)


def _transpose(rows: Iterable[dict[str, Any]]) -> dict[str, list[Any]]:
    table = list(rows)
    _check_rows(len(table))
    names: dict[str, None] = {}
    for row in table:
        names.update(dict.fromkeys(row))
        check_columns(len(names))
    _check_cells(len(table), len(names))
    return {name: [row.get(name) for row in table] for name in names}


def _check_rows(rows: int) -> None:
    if rows > MAX_INPUT_ROWS:
        raise InputRefused(f"at most {MAX_INPUT_ROWS:,} rows are allowed")


def check_columns(columns: int) -> None:
    """Raise InputRefused for more columns than a table may have."""
    if columns > MAX_COLUMNS:
        raise InputRefused(f"at most {MAX_COLUMNS} columns are allowed")


def _check_cells(rows: int, columns: int) -> None:
    if rows == 0:
        raise InputRefused(f"0 rows; between 1 and {MAX_INPUT_ROWS:,} are needed")
    if columns == 0:
        raise InputRefused("the rows have no columns")
    if rows * columns > _MAX_CELLS:
        raise InputRefused(
            f"{rows:,} rows of {columns} columns have more than {_MAX_CELLS:,} values, nulls "
            "included: send a file, or fewer columns"
        )
