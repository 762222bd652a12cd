"""Reading a page: through the guarded client, at most a few redirects, each of them guarded."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urljoin

from pgqueue_worker.outbound import Answer, Outbound, OutboundError, Refused

from pgqueue_tasks._sandbox import run_in_child
from pgqueue_tasks.errors import EngineFailed, InputRefused

__all__ = ["MAX_BYTES", "in_child", "read"]

MAX_BYTES = 1024 * 1024
_REDIRECTS = 3
_MEMORY_BYTES = 1 << 30
_CPU_SECONDS = 30
_CHILD = "pgqueue_tasks._research.child"
_HEADERS = {"User-Agent": "pgqueue-research/1", "Accept": "text/html, text/plain;q=0.9"}
_MARKUP = {"text/html", "application/xhtml+xml"}


async def read(outbound: Outbound, url: str) -> dict[str, Any]:
    """Give title, text and the address it came from in the end.

    InputRefused for what another attempt would not find either, EngineFailed for the rest.
    """
    answer, at = await _fetched(outbound, url)
    if answer.status >= 500 or answer.status in (408, 425, 429):
        raise EngineFailed(f"answered {answer.status}")
    if answer.status != 200:
        raise InputRefused(f"answered {answer.status}")
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _MARKUP and not kind.startswith("text/"):
        raise InputRefused(f"is {kind[:100] or 'of no type'}, and no text")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise InputRefused("is compressed, though it was asked not to be")
    data = base64.b64encode(answer.body).decode()
    found = await in_child(do="extract", data=data, plain=kind not in _MARKUP)
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


async def in_child(**request: Any) -> Any:
    """Do a step in a process that cannot harm its neighbours."""
    answer, _ = await run_in_child(
        _CHILD,
        json.dumps(request).encode(),
        lambda _percent, _message: None,
        memory_bytes=_MEMORY_BYTES,
        cpu_seconds=_CPU_SECONDS,
    )
    return answer
