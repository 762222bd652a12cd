"""`python -m pgqueue_tasks._aggregation.child`: a user's SQL or file in its own process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pgqueue_tasks._child import serve

from .engine import Aggregation
from .file import DataFile
from .models import AggregationPayload

__all__: list[str] = []


def _run(request: Any, progress: Callable[[float, str], None]) -> tuple[Any, bytes]:
    payload = AggregationPayload.model_validate(request["payload"])
    file = DataFile(**request["file"]) if request["file"] else None
    return Aggregation(payload, progress, file).run(), b""


if __name__ == "__main__":
    serve(_run)
