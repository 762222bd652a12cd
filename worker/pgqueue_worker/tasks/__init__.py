"""The built-in task types, and `register`, which puts those on an app that can run here."""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgqueue import PgQueue

__all__ = ["register"]

_log = logging.getLogger("pgqueue.tasks")

_ENGINES = {
    "data_aggregation": (
        "duckdb",
        "Group, filter and sum inline rows, CSV or JSON text with DuckDB.",
    ),
    "pdf_report": ("typst", "Typeset a PDF report with text, tables and charts."),
}


def register(app: PgQueue) -> None:
    """Register `noop` and `sleep`, and each of the others whose engine is installed; log what is absent."""
    # Imported here so that a child process of a sandboxed engine loads no database driver.
    from .demo import noop, sleep

    app.task("noop", description="Completes at once, for load tests.")(noop)
    app.task("sleep", description="Waits, and fails as often as asked, for demos.")(sleep)
    absent = []
    for name, (package, description) in _ENGINES.items():
        if find_spec(package) is None:
            absent.append(f"{name} (needs {package})")
            continue
        handler = getattr(import_module(f"{__name__}.{name}"), name)
        app.task(name, queue=name, max_attempts=3, timeout=60, description=description)(handler)
    if absent:
        _log.warning(
            "not registered: %s; install them with: pip install 'pgqueue[tasks]'", ", ".join(absent)
        )
