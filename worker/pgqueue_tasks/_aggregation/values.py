"""Make a DuckDB result JSON-safe and bounded: jsonb can hold it, and readers parse it exactly."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

__all__ = ["MAX_RESULT_BYTES", "bounded_rows", "json_safe", "unique_names"]

MAX_RESULT_BYTES = 200_000
MAX_CELL_CHARS = 8_192
_MAX_DEPTH = 16
_EXACT = 2**53 - 1


def json_safe(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 - one line a type
    """The JSON form of one cell.

    NaN and infinities are null; a number that a double would change is text; dates and times are
    ISO 8601; bytes are base64; NUL, which jsonb cannot hold, becomes U+FFFD.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -_EXACT <= value <= _EXACT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if depth < _MAX_DEPTH and isinstance(value, dict):
        return {_text(str(k)): json_safe(v, depth + 1) for k, v in value.items()}
    if depth < _MAX_DEPTH and isinstance(value, list | tuple):
        return [json_safe(v, depth + 1) for v in value]
    return _text(str(value))


def _text(value: str) -> str:
    return value.replace("\x00", "\ufffd")


def _decimal(value: Decimal) -> float | int | str | None:
    if not value.is_finite():
        return None
    if value == value.to_integral_value():
        whole = int(value)
        return whole if -_EXACT <= whole <= _EXACT else str(whole)
    short = value.normalize()
    return float(short) if len(short.as_tuple().digits) <= 15 else format(short, "f")


def unique_names(names: Sequence[str]) -> list[str]:
    """The names with `_2`, `_3` … after repeats, so that a row can be an object."""
    taken: set[str] = set()
    result = []
    for name in map(_text, names):
        unique, n = name, 1
        while unique in taken:
            n += 1
            unique = f"{name}_{n}"
        taken.add(unique)
        result.append(unique)
    return result


def bounded_rows(
    names: Sequence[str], rows: Iterable[Sequence[Any]], limit: int
) -> tuple[list[dict[str, Any]], bool]:
    """At most `limit` rows and MAX_RESULT_BYTES of JSON, and whether anything was left out."""
    kept: list[dict[str, Any]] = []
    size, truncated = 0, False
    for row in rows:
        if len(kept) == limit:
            return kept, True
        item = {}
        for name, value in zip(names, row, strict=True):
            cell = json_safe(value)
            if isinstance(cell, str) and len(cell) > MAX_CELL_CHARS:
                cell, truncated = cell[:MAX_CELL_CHARS] + "…", True
            item[name] = cell
        size += len(json.dumps(item, ensure_ascii=False).encode()) + 2
        if size > MAX_RESULT_BYTES:
            return kept, True
        kept.append(item)
    return kept, truncated
