"""The built-in task types, and `register`, which puts those on an app that can run here."""

from __future__ import annotations

import logging
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from .errors import InputRefused

if TYPE_CHECKING:
    from pgqueue import PgQueue

__all__ = ["register"]

_log = logging.getLogger("pgqueue.tasks")


class _Built(NamedTuple):
    """The packages that a type needs, its timeout, and the initial settings of its queue."""

    packages: tuple[str, ...]
    concurrency: int
    per_minute: int
    attempts: int = 3
    timeout_s: float = 60


_BUILT = {
    "data_aggregation": _Built(("duckdb",), 1, 5, timeout_s=300),
    "email_campaign": _Built(("aiosmtplib", "jinja2"), 5, 50, attempts=5, timeout_s=600),
    "pdf_report": _Built(("typst",), 3, 10),
    "text_gen": _Built(("openai", "markovify"), 10, 20, timeout_s=300),
    "image_gen": _Built(("openai", "PIL"), 5, 10, timeout_s=300),
    "webhook_processing": _Built(("jmespath",), 10, 100, attempts=5),
    "research_agent": _Built(
        ("openai", "trafilatura", "bm25s", "numpy"), 3, 5, attempts=2, timeout_s=600
    ),
}
_ALIASES = {
    "send_email": "email_campaign",
    "generate_pdf": "pdf_report",
    "resize_image": "image_gen",
}
_DESCRIPTIONS = {
    "data_aggregation": "Group, filter and sum rows, CSV, JSON or a file with DuckDB.",
    "email_campaign": "Send each recipient a message rendered from a template.",
    "pdf_report": "Typeset a PDF report with text, tables and charts.",
    "text_gen": "Write a text with a language model, and stream it.",
    "image_gen": "Draw a picture with a model, or resize, watermark and convert one.",
    "webhook_processing": "Verify who sent a webhook, map its fields, forward them.",
    "research_agent": "Answer a question from pages and texts, and cite them.",
    "noop": "Complete at once, for load tests.",
    "sleep": "Wait, and fail as often as you ask, for demonstrations.",
}


def register(app: PgQueue) -> None:
    """Register `noop`, `sleep`, and each other type whose engine is installed.

    One log line names the types that cannot run here, and the command that installs them.
    """
    # Imported late: a child process of a sandboxed engine needs no database driver.
    demo = import_module(f"{__name__}.demo")
    elsewhere = import_module(f"{__name__}._elsewhere")
    gone = import_module("pgqueue.errors").NotFound
    for name in ("noop", "sleep"):
        app.task(name, description=_DESCRIPTIONS[name])(getattr(demo, name))
    absent = []
    for name, built in _BUILT.items():
        missing = [package for package in built.packages if find_spec(package) is None]
        if missing:
            absent.append(f"{name} (needs {', '.join(missing)})")
            continue
        handler = elsewhere.bounded_elsewhere(
            getattr(import_module(f"{__name__}.{name}"), name), name, built.concurrency
        )
        declare = partial(
            app.task,
            queue=name,
            timeout=built.timeout_s,
            no_retry=(InputRefused, gone),
            queue_settings={
                "concurrency": built.concurrency,
                "rate": [{"count": built.per_minute, "per_seconds": 60}],
                "max_attempts": built.attempts,
            },
        )
        declare(name, description=_DESCRIPTIONS[name])(handler)
        for alias in (alias for alias, of in _ALIASES.items() if of == name):
            declare(alias, description=f"Another name for {name}.")(handler)
    if absent:
        _log.warning(
            "not registered: %s; install them with: pip install 'pgqueue[tasks]'", ", ".join(absent)
        )
