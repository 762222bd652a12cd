"""Reads a page through the guarded client, with at most a few redirects, each of them guarded."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from pgqueue_worker.outbound import Answer, Outbound, OutboundError, Refused

from pgqueue import Context
from pgqueue_tasks._sandbox import sandboxed
from pgqueue_tasks.errors import EngineFailed, InputRefused

__all__ = ["MAX_BYTES", "analysed", "read"]

MAX_BYTES = 1024 * 1024
_REDIRECTS = 3
_HEADERS = {"User-Agent": "pgqueue-research/1", "Accept": "text/html, text/plain;q=0.9"}
_MARKUP = {"text/html", "application/xhtml+xml"}


async def read(ctx: Context, outbound: Outbound, url: str) -> dict[str, Any]:
    """Return the title, the text and the final address of a page.

    Raise InputRefused if no attempt could read it, EngineFailed for other failures.
    """
    answer, at = await _fetched(outbound, url)
    if answer.status >= 500 or answer.status in (408, 425, 429):
        raise EngineFailed(f"answered {answer.status}")
    if answer.status != 200:
        raise InputRefused(f"answered {answer.status}")
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _MARKUP and not kind.startswith("text/"):
        raise InputRefused(f"is {kind[:100] or 'of no type'}, not text")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise InputRefused("is compressed although it was asked not to be")
    found = await analysed(ctx, "read_page" if kind in _MARKUP else "read_plain", answer.body)
    if not found["text"]:
        raise InputRefused("there is no text on the page")
    return {"url": at, "title": found["title"] or at, "text": found["text"]}


async def _fetched(outbound: Outbound, url: str) -> tuple[Answer, str]:
    for _ in range(_REDIRECTS + 1):
        try:
            answer = await outbound.request("GET", url, headers=_HEADERS)
        except Refused as error:
            raise InputRefused(str(error)) from None
        except OutboundError as error:
            raise EngineFailed(str(error)) from None
        if answer.status not in (301, 302, 303, 307, 308):
            return answer, url
        url = urljoin(url, answer.headers.get("location", ""))
    raise InputRefused(f"redirects more than {_REDIRECTS} times")


async def analysed(ctx: Context, function: str, *args: Any) -> Any:
    """Return what a function of `analysis` returns."""
    return await sandboxed(
        ctx, f"_research.analysis:{function}", *args, memory_limit="1GiB", cpu_limit=30
    )
