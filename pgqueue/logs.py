"""Structured logs: JSON in production, readable on a terminal, on standard error.

Every process of pgqueue calls ``configure`` once. What other libraries log through ``logging`` is
written in the same form. Fields bound with ``structlog.contextvars`` (``task_id``, ``type``,
``attempt``, ``worker``) appear on every line while they are bound.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Literal

import orjson
import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

__all__ = ["configure", "get_logger"]

Format = Literal["json", "text", "auto"]
Level = Literal["debug", "info", "warning", "error"]


def configure(format: Format = "auto", level: Level = "info") -> None:
    """Send all logs of this process to standard error; ``auto`` is text on a terminal, else JSON.

    It may be called again; the last call counts.
    """
    as_text = format == "text" or (format == "auto" and sys.stderr.isatty())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if as_text else "iso", utc=not as_text),
    ]
    render: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if as_text
        else [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ]
    )
    structlog.configure(
        processors=[_name_logger, *shared, structlog.processors.StackInfoRenderer(), *render],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=_standard_error,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.basicConfig(handlers=[handler], level=threshold, force=True)


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return a logger whose lines name the part of pgqueue that wrote them."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(logger_name=name)
    return logger


def _standard_error(*_: object) -> WrappedLogger:
    # looked up each time, so that logs follow a redirected standard error
    return structlog.WriteLogger(sys.stderr)


def _name_logger(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    # the key of stdlib loggers; structlog reserves `logger` for an argument of its own
    event["logger"] = event.pop("logger_name", "pgqueue")
    return event


def _to_json(event: Any, **_: object) -> str:
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
