"""`pdf_report`: typeset a report with Typst and keep it as the artifact report.pdf.

The user's text reaches Typst as JSON data and is only ever shown as text: the template evaluates
nothing, imports nothing, and its root is an empty directory. It runs in a child process
(_sandbox.py says why).
"""

from __future__ import annotations

import asyncio
import json
from datetime import date

from pgqueue import Context

from ._report.document import document
from ._report.models import ReportPayload, ReportResult
from ._report.results import with_results
from ._sandbox import run_in_child
from .errors import InputRefused

__all__ = ["ReportPayload", "ReportResult", "pdf_report"]

ARTIFACT = "report.pdf"
MAX_BYTES = 16 * 1024 * 1024
_MEMORY_BYTES = 2 << 30
_CPU_SECONDS = 120
_CHILD = "pgqueue_tasks._report.child"


async def pdf_report(ctx: Context, payload: ReportPayload) -> ReportResult:
    """Typeset the report; when this returns, the PDF (at most 16 MiB) is durable as `report.pdf`.

    Raises InputRefused for a date that no calendar has and for a report that grows too large.
    """
    if payload.date is not None:
        try:
            date.fromisoformat(payload.date)
        except ValueError as error:
            raise InputRefused(f"date: {error}") from None
    payload = await with_results(ctx, payload)
    request = await asyncio.to_thread(lambda: json.dumps(document(payload)).encode())
    ctx.progress(10, "text prepared")
    result, pdf = await run_in_child(
        _CHILD,
        request,
        ctx.progress,
        memory_bytes=_MEMORY_BYTES,
        cpu_seconds=_CPU_SECONDS,
        max_output_bytes=MAX_BYTES,
    )
    await ctx.save_artifact(ARTIFACT, pdf, "application/pdf")
    ctx.progress(100, f"{result['pages']} pages kept")
    return ReportResult(artifact=ARTIFACT, **result)
