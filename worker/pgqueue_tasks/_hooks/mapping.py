"""JMESPath over a body: runs in a process of its own.

A short expression can double a list again and again; the process bounds the cost of that.
"""

from __future__ import annotations

import json
from typing import Any

import jmespath  # type: ignore[import-untyped]
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]

from pgqueue import Context
from pgqueue_tasks.errors import InputRefused

__all__ = ["map_fields"]

_MAX_DEPTH = 64  # as of a payload


def map_fields(ctx: Context, fields: dict[str, str], body: bytes) -> bytes:
    """Return what each expression finds in the body, as JSON."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise InputRefused("the body is not JSON, so its fields cannot be mapped") from None
    mapped: dict[str, Any] = {}
    for name, expression in fields.items():
        try:
            mapped[name] = jmespath.search(expression, document)
        except (JMESPathError, RecursionError, TypeError, ValueError) as error:
            said = " ".join(str(error).split())[:300]
            raise InputRefused(f"map, {name}: {said}") from None
    ctx.progress(50, "mapped")
    if not _is_flat(mapped):
        raise InputRefused(f"map: the fields are nested more than {_MAX_DEPTH} levels deep")
    try:
        return json.dumps(mapped, allow_nan=False).encode()
    except ValueError as error:
        raise InputRefused(f"map: the fields cannot be sent as JSON: {error}"[:300]) from None


def _is_flat(value: Any) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        inner = (
            item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
            for item in level
        )
        level = [item for items in inner for item in items]
    return not level
