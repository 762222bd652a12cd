"""The named queries of ``sql/queries``: the one place where SQL text enters Python.

A file holds queries that start with ``-- name: verb_noun``; parameters are psycopg's ``%(name)s``.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

SQL = Path(__file__).parent.parent / "_sql"

_NAME = re.compile(r"^-- name: (\w+).*$", re.MULTILINE)


@cache
def _all() -> dict[str, LiteralString]:
    found: dict[str, LiteralString] = {}
    for file in sorted((SQL / "queries").glob("*.sql")):
        _, *parts = _NAME.split(file.read_text(encoding="utf-8"))
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            if name in found:
                message = f"two queries are named {name}, one of them in {file.name}"
                raise ValueError(message)
            found[name] = cast("LiteralString", text.strip().rstrip(";"))
    return found


def query(name: str) -> LiteralString:
    """Return the text of a named query; raise ``KeyError`` for an unknown name."""
    return _all()[name]
