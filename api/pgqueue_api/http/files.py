"""Files as answers: read from the database piece by piece, as fast as the client takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Response
from litestar.response import Stream

from pgqueue.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from litestar import Request

    from pgqueue.database.pool import Pool

__all__ = ["file_answer"]

_PIECE = 256 * 1024
_MIB = 1024 * 1024


def file_answer(
    request: Request[Any, Any, Any],
    pool: Pool,
    key: Mapping[str, object],
    facts: Mapping[str, Any],
    headers: Mapping[str, str],
) -> Response[Any]:
    """Answer with a file that ``find_artifact`` found by a key; the ETag is its SHA-256.

    At most a piece of 256 KiB of it is in memory. If the file is deleted or replaced meanwhile, the
    answer ends before its declared length.
    """
    tag = f'"{facts["sha256"]}"'
    headers = {
        "Content-Type": facts["content_type"],
        "ETag": tag,
        "Cache-Control": "private, no-cache",
        **headers,
    }
    known = [
        one.strip().removeprefix("W/")
        for one in request.headers.get("if-none-match", "").split(",")
    ]
    if tag in known or known == ["*"]:
        return Response(b"", status_code=304, headers=headers)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, facts["size"], _PIECE):
            rows = await pool.rows(
                "file_piece",
                {**key, "sha256": facts["sha256"], "n": start // _MIB, "start": start % _MIB},
                binary=True,
            )
            if not rows:
                raise NotFound("the file is gone", hint="it expired, was deleted or was replaced")
            yield rows[0]["data"]

    headers["Content-Length"] = str(facts["size"])
    return Stream(pieces(), headers=headers, media_type=facts["content_type"])
