"""OpenTelemetry: one trace from the submit of a task through its claim and run to its finish.

A task carries a W3C ``traceparent``; each side continues the trace from it. OpenTelemetry
is not imported, and a span costs one call, until ``configure`` finds an exporter in the standard
environment variables or a tracer provider that the process has set up.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from pgqueue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import Tracer

__all__ = ["Span", "configure", "current_traceparent", "enabled", "parse", "shutdown", "span_from"]

Kind = Literal["internal", "server", "client", "producer", "consumer"]

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

_tracer: Tracer | None = None
_provider: TracerProvider | None = None  # our own, to be flushed and closed


class Span:
    """A span, or none: when telemetry is off, every call does nothing."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: OtelSpan | None = None, traceparent: str | None = None) -> None:
        self._span = span
        self.traceparent = traceparent

    def set(self, name: str, value: str | float | bool) -> None:  # noqa: FBT001  a value, no flag
        """Set an attribute of the span."""
        if self._span is not None:
            self._span.set_attribute(name, value)

    def fail(self, error: BaseException | str) -> None:
        """Mark the span as failed, with the error's type and text."""
        if self._span is None:
            return
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415  only when on

        if isinstance(error, BaseException):
            self._span.record_exception(error)
        self._span.set_status(Status(StatusCode.ERROR, str(error)))


_OFF = Span()


def configure(service: str, *, exporter: SpanExporter | None = None) -> bool:
    """Turn tracing on if there is somewhere to send spans; return whether it is on.

    It uses, in this order: ``exporter`` (spans are sent one by one), the process's tracer provider,
    OTLP over HTTP when ``OTEL_EXPORTER_OTLP_ENDPOINT`` or its traces variant is set.
    ``OTEL_SDK_DISABLED=true`` and ``OTEL_TRACES_EXPORTER=none`` turn it off. Raises ``UsageError``
    when OTLP is asked for and ``pgqueue[otlp]`` is not installed.
    """
    global _provider, _tracer  # noqa: PLW0603  the tracer belongs to the process
    shutdown()
    if exporter is None and _is_disabled():
        return False
    if exporter is None and (existing := _existing_provider()) is not None:
        _tracer = existing.get_tracer("pgqueue")
        return True
    if exporter is None and not any(os.environ.get(name) for name in _ENDPOINTS):
        return False
    _provider = _new_provider(service, exporter)
    _tracer = _provider.get_tracer("pgqueue")
    return True


def shutdown() -> None:
    """Send the remaining spans and turn tracing off; blocks up to a few seconds."""
    global _provider, _tracer
    provider, _provider, _tracer = _provider, None, None
    if provider is not None:
        provider.shutdown()


def enabled() -> bool:
    """Return whether spans are recorded."""
    return _tracer is not None


def parse(traceparent: str | None) -> str | None:
    """Return a traceparent if it is valid: one of version 00, or one that starts like it."""
    if traceparent is None or not _TRACEPARENT.match(traceparent):
        return None
    return traceparent[:55]


def current_traceparent() -> str | None:
    """Return the traceparent of the current span, if there is one."""
    if _tracer is None:
        return None
    from opentelemetry import trace  # noqa: PLC0415  only when on

    return _format(trace.get_current_span())


@contextmanager
def span_from(
    traceparent: str | None,
    name: str,
    attributes: Mapping[str, Any] | None = None,
    *,
    kind: Kind = "internal",
    links: Sequence[str | None] = (),
    start_ns: int | None = None,
) -> Iterator[Span]:
    """Record a span over the block, as a child of ``traceparent`` or else of the current span.

    ``links`` are the traceparents of other traces that it belongs to, ``start_ns`` is a start
    before now, in nanoseconds since 1970. An exception that leaves the block marks the span as
    failed. When telemetry is off, the span passes ``traceparent`` on unchanged.
    """
    if _tracer is None:
        yield Span(None, traceparent) if traceparent else _OFF
        return
    from opentelemetry import trace  # noqa: PLC0415  only when on

    others = [_context(link) for link in links if parse(link)]
    with _tracer.start_as_current_span(
        name,
        context=_context(traceparent) if parse(traceparent) else None,
        kind=trace.SpanKind[kind.upper()],
        attributes=attributes,
        links=[trace.Link(trace.get_current_span(other).get_span_context()) for other in others],
        start_time=start_ns,
    ) as span:
        yield Span(span, _format(span))


def _is_disabled() -> bool:
    return (
        os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        or os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
    )


def _existing_provider() -> TracerProvider | None:
    if "opentelemetry.sdk.trace" not in sys.modules:
        return None
    from opentelemetry import trace  # noqa: PLC0415  the process has imported it
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    provider = trace.get_tracer_provider()
    return provider if isinstance(provider, TracerProvider) else None


def _new_provider(service: str, exporter: SpanExporter | None) -> TracerProvider:
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  only when on
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import (  # noqa: PLC0415
        BatchSpanProcessor,
        SimpleSpanProcessor,
    )

    named = "OTEL_SERVICE_NAME" in os.environ or "service.name" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    provider = TracerProvider(
        resource=Resource.create({} if named else {"service.name": service}),
        shutdown_on_exit=False,
    )
    if exporter is not None:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        return provider
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
    except ImportError as error:
        raise UsageError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but the OTLP exporter is not installed",
            hint="pip install 'pgqueue[otlp]'",
        ) from error
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    # so that spans made with OpenTelemetry's own API in a handler join the trace of its task
    from opentelemetry import trace  # noqa: PLC0415

    trace.set_tracer_provider(provider)
    return provider


def _context(traceparent: str | None) -> Context:
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415  only when on
        TraceContextTextMapPropagator,
    )

    return TraceContextTextMapPropagator().extract({"traceparent": traceparent or ""})


def _format(span: OtelSpan) -> str | None:
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
