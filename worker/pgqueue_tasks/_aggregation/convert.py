"""Detect what type a column has, and turn its values into that type.

Numbers with leading zeros in CSV are text: "007" is a code, not seven.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from pgqueue_tasks.errors import InputRefused

from .models import ColumnType

__all__ = ["convert", "detect", "detect_text"]

_INT128 = 2**127
_INTEGER = re.compile(r"[+-]?(0|[1-9]\d{0,37})", re.ASCII)
_NUMBER = re.compile(r"[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIMESTAMP = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)


def detect(values: list[Any]) -> ColumnType:
    """The type of values that came from JSON; a mixture of numbers and anything else is text."""
    types = {type(value) for value in values if value is not None}
    if types == {bool}:
        return "boolean"
    if types == {int}:
        fits = all(v is None or -_INT128 < v < _INT128 for v in values)
        return "integer" if fits else "number"
    return "number" if types and types <= {int, float} else "text"


def detect_text(values: list[Any]) -> ColumnType:
    """The type of values that came as text; None is an empty field."""
    texts = [value for value in values if value is not None]
    if not texts:
        return "text"
    if all(_INTEGER.fullmatch(t) for t in texts):
        return detect([int(t) for t in texts])
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
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text.encode()  # raises for an unpaired surrogate, which "\\ud800" in JSON text makes
    return text


def _integer(value: Any) -> int:
    number = int(value)
    if (isinstance(value, float) and number != value) or not -_INT128 < number < _INT128:
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
