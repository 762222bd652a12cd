"""`pdf_report`: typesets a report with Typst and saves it as the artifact report.pdf.

The user's text reaches Typst as JSON data and is only ever shown as text: the template evaluates
nothing, imports nothing, and its root is an empty directory. It runs in a process of its own
(_sandbox.py says why).
"""

from __future__ import annotations

import asyncio
from datetime import date

from pgqueue import Context

from ._report.document import document
from ._report.models import ReportPayload, ReportResult
from ._report.results import with_results
from ._sandbox import sandboxed
from .errors import InputRefused

__all__ = ["ReportPayload", "ReportResult", "pdf_report"]

ARTIFACT = "report.pdf"
MAX_BYTES = 16 * 1024 * 1024


async def pdf_report(ctx: Context, payload: ReportPayload) -> ReportResult:
    """Typeset the report; when this returns, the PDF (at most 16 MiB) is durable as `report.pdf`.

    Raise InputRefused for a date that no calendar has and for a report that grows too large.
    """
    if payload.date is not None:
        try:
            date.fromisoformat(payload.date)
        except ValueError as error:
            raise InputRefused(f"date: {error}") from None
    payload = await with_results(ctx, payload)
    request = await asyncio.to_thread(document, payload)
    ctx.progress(10, "text prepared")
    result, pdf = await sandboxed(
        ctx,
        "_report.typesetting:typeset",
        request,
        memory_limit="2GiB",
        cpu_limit=120,
        output_limit=MAX_BYTES,
    )
    await ctx.save_artifact(ARTIFACT, pdf, "application/pdf")
    ctx.progress(100, f"{result['pages']} pages kept")
    return ReportResult(artifact=ARTIFACT, **result)
