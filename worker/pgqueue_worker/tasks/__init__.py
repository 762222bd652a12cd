"""The built-in task types, and `register`, which puts those on an app that can run here."""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .errors import InputRefused

if TYPE_CHECKING:
    from pgqueue import PgQueue

__all__ = ["register"]

_log = logging.getLogger("pgqueue.tasks")

_ENGINES = {"data_aggregation": "duckdb", "pdf_report": "typst"}
_DESCRIPTIONS = {
    "data_aggregation": "Group, filter and sum inline rows, CSV or JSON text with DuckDB.",
    "pdf_report": "Typeset a PDF report with text, tables and charts.",
    "noop": "Complete at once, for load tests.",
    "sleep": "Wait, and fail as often as asked, for demonstrations.",
}


def register(app: PgQueue) -> None:
    """Register `noop`, `sleep`, and those of the others whose engine is installed.

    What cannot run here is named in one log line, with the command that installs it.
    """
    # Imported late: a child process of a sandboxed engine needs no database driver.
    demo = import_module(f"{__name__}.demo")
    for name in ("noop", "sleep"):
        app.task(name, description=_DESCRIPTIONS[name])(getattr(demo, name))
    absent = []
    for name, package in _ENGINES.items():
        if find_spec(package) is None:
            absent.append(f"{name} (needs {package})")
            continue
        handler = getattr(import_module(f"{__name__}.{name}"), name)
        app.task(
            name,
            queue=name,
            max_attempts=3,
            timeout=60,
            no_retry=(InputRefused,),
            description=_DESCRIPTIONS[name],
        )(handler)
    if absent:
        _log.warning(
            "not registered: %s; install them with: pip install 'pgqueue[tasks]'", ", ".join(absent)
        )
