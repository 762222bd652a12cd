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


def map_fields(ctx: Context, fields: dict[str, str], document: Any) -> bytes:
    """Return what each expression finds in the document, as JSON."""
    mapped = {}
    for name, expression in fields.items():
        try:
            mapped[name] = jmespath.search(expression, document)
        except (JMESPathError, RecursionError, TypeError, ValueError) as error:
            said = " ".join(str(error).split())[:300]
            raise InputRefused(f"map, {name}: {said}") from None
    ctx.progress(50, "mapped")
    return json.dumps(mapped).encode()
