"""Turn inline rows, CSV or JSON text into typed columns, before DuckDB sees any of it.

Detected types: integer, number, boolean, text; in CSV also date and timestamp. A column that mixes numbers
with anything else is text. Numbers with leading zeros in CSV are text ("007" is a code, not seven).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from ..errors import InputRefused
from .models import MAX_INPUT_ROWS, AggregationPayload, ColumnType

__all__ = ["Column", "convert", "read_columns", "unknown_columns"]

MAX_COLUMNS = 200
_INT64, _INT128 = 2**63, 2**127
_INTEGER = re.compile(r"[+-]?(0|[1-9]\d{0,37})", re.ASCII)
_NUMBER = re.compile(r"[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIMESTAMP = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)


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
        detect = _detect_text
    else:
        rows: Iterable[Any] = (
            payload.rows if payload.rows is not None else _read_json(payload.json_text or "")
        )
        raw = _transpose(rows)
        detect = _detect
    if len(raw) > MAX_COLUMNS:
        raise InputRefused(f"{len(raw)} columns; at most {MAX_COLUMNS} are allowed")
    if unknown := [name for name in payload.types if name not in raw]:
        raise InputRefused(unknown_columns("types", unknown, raw))
    columns = []
    for name, values in raw.items():
        if not name or len(name) > 128:
            raise InputRefused("every column needs a name of 1 to 128 characters")
        kind = payload.types.get(name) or detect(values)
        columns.append(Column(name, kind, convert(name, kind, values)))
    return columns


def unknown_columns(where: str, missing: Iterable[str], known: Iterable[str]) -> str:
    """The message for a name that is no column: says which names there are."""
    names = list(known)
    listed = ", ".join(names[:30]) + (", …" if len(names) > 30 else "")
    return f"{where}: no such column: {', '.join(missing)}. The columns are: {listed}"


def _read_csv(text: str, delimiter: str) -> dict[str, list[Any]]:
    lines = csv.reader(
        io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter, strict=True
    )
    try:
        table = [line for line in lines if line]
    except csv.Error as error:
        raise InputRefused(f"csv line {lines.line_num}: {error}") from None
    if not table:
        raise InputRefused("csv: the text has no header line")
    header, body = [name.strip() for name in table[0]], table[1:]
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise InputRefused(f"csv: the header names a column twice: {', '.join(twice)}")
    _check_count(len(body))
    for number, line in enumerate(body, start=2):
        if len(line) != len(header):
            raise InputRefused(
                f"csv record {number} has {len(line)} fields, the header has {len(header)}"
            )
    return {
        name: [line[index] if line[index] != "" else None for line in body]
        for index, name in enumerate(header)
    }


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
    _check_count(len(rows))
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise InputRefused(f"json: row {number} is not an object")
    return list(rows)


def _check_count(rows: int) -> None:
    if not 1 <= rows <= MAX_INPUT_ROWS:
        raise InputRefused(f"{rows} rows; between 1 and {MAX_INPUT_ROWS} are needed")


def _transpose(rows: Iterable[dict[str, Any]]) -> dict[str, list[Any]]:
    table = list(rows)
    names = dict.fromkeys(name for row in table for name in row)
    if not names:
        raise InputRefused("the rows have no columns")
    return {name: [row.get(name) for row in table] for name in names}


def _detect(values: list[Any]) -> ColumnType:
    types = {type(value) for value in values if value is not None}
    if types == {bool}:
        return "boolean"
    if types == {int}:
        fits = all(v is None or -_INT128 < v < _INT128 for v in values)
        return "integer" if fits else "number"
    return "number" if types and types <= {int, float} else "text"


def _detect_text(values: list[Any]) -> ColumnType:
    texts = [value for value in values if value is not None]
    if not texts:
        return "text"
    if all(_INTEGER.fullmatch(t) for t in texts):
        return _detect([int(t) for t in texts])
    if all(_NUMBER.fullmatch(t) for t in texts):
        return "number"
    if all(t.lower() in {"true", "false"} for t in texts):
        return "boolean"
    for kind, pattern, parse in (("date", _DATE, _date), ("timestamp", _TIMESTAMP, _timestamp)):
        if all(pattern.fullmatch(t) for t in texts) and _passes(parse, texts):
            return "date" if kind == "date" else "timestamp"
    return "text"


def _passes(parse: Callable[[Any], Any], texts: list[str]) -> bool:
    try:
        for text in texts:
            parse(text)
    except ValueError:
        return False
    return True


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _integer(value: Any) -> int:
    number = int(value)
    if isinstance(value, float) and number != value or not -_INT128 < number < _INT128:
        raise ValueError
    return number


def _number(value: Any) -> float:
    number = float(value)
    if number - number != 0:
        raise ValueError
    return number


def _decimal(value: Any) -> Decimal:
    number = Decimal(repr(value) if isinstance(value, float) else value)
    if not number.is_finite() or abs(number) >= Decimal(10) ** 28:
        raise ValueError
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}[str(value).lower()]


def _date(value: Any) -> date:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError
    return date.fromisoformat(value)


def _timestamp(value: Any) -> datetime:
    if not isinstance(value, str) or not (_TIMESTAMP.fullmatch(value) or _DATE.fullmatch(value)):
        raise ValueError
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


_PARSERS: dict[ColumnType, Callable[[Any], Any]] = {
    "integer": _integer,
    "number": _number,
    "decimal": _decimal,
    "text": _text,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
}


def convert(name: str, kind: ColumnType, values: list[Any]) -> list[Any]:
    """The values as `kind`; raises InputRefused naming the column, the row and the value."""
    parse = _PARSERS[kind]
    converted: list[Any] = []
    for row, value in enumerate(values, start=1):
        try:
            converted.append(None if value is None else parse(value))
        except (ValueError, TypeError, KeyError, OverflowError, InvalidOperation):
            shown = repr(value)[:60]
            raise InputRefused(f"column {name!r}, row {row}: {shown} is not a {kind}") from None
    return converted
