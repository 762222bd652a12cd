"""`python -m pgqueue_tasks._hooks.child`: JMESPath in its own process.

A short expression can double a list again and again; what that may cost is bounded by the process.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jmespath  # type: ignore[import-untyped]
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]

from pgqueue_tasks._child import serve
from pgqueue_tasks.errors import InputRefused

__all__: list[str] = []


def _run(request: Any, progress: Callable[[float, str], None]) -> tuple[Any, bytes]:
    mapped = {}
    for name, expression in request["map"].items():
        try:
            mapped[name] = jmespath.search(expression, request["document"])
        except (JMESPathError, RecursionError, TypeError, ValueError) as error:
            said = " ".join(str(error).split())[:300]
            raise InputRefused(f"map, {name}: {said}") from None
    progress(50, "mapped")
    return None, json.dumps(mapped).encode()


if __name__ == "__main__":
    serve(_run)
