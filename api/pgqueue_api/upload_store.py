"""POST /v1/artifacts: a file from the wire into PostgreSQL, a piece at a time.

At most two pieces of 1 MiB are in memory. An incomplete upload leaves nothing behind: it is deleted
here or, if this process dies, by ``prune_uploads`` after its time is over.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pgqueue.errors import PgQueueError
from pgqueue_api.problems import (
    Invalid,
    InvalidBody,
    Overloaded,
    QuotaReached,
    TooLarge,
    UnsupportedMedia,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from litestar.types import Receive

    from pgqueue.database.pool import Pool
    from pgqueue_api.bounds import Bounds

__all__ = ["Uploads"]

_PIECE = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LOOKED_AT = 4096

_BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    "application/gzip": (b"\x1f\x8b",),
    "application/pdf": (b"%PDF-",),
    "application/vnd.apache.parquet": (b"PAR1",),
    "application/zip": (b"PK\x03\x04", b"PK\x05\x06"),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/webp": (b"RIFF",),
}
_TEXTS = ("text/", "application/json", "application/x-ndjson")


class Uploads:
    """The files that one process receives at the same time, within its bounds."""

    def __init__(self, files: Pool, bounds: Bounds) -> None:
        self._files = files
        self._bounds = bounds
        self._senders: Counter[str] = Counter()
        self._arrived: dict[object, int] = {}
        """Of those under way: how many bytes have arrived."""

    async def take(
        self, headers: Mapping[bytes, bytes], name: str | None, receive: Receive, sender: str
    ) -> str:
        """Store a body and return the id of the upload, once it is durable.

        Raise ``TooLarge``, ``UnsupportedMedia`` for a type that is not accepted, ``Invalid`` for an
        invalid name or invalid contents, ``QuotaReached`` if all files together are too large, and
        ``Overloaded`` if too many uploads are arriving already, from this sender or from all.
        """
        content_type = self._type(headers)
        if name is not None and not _NAME.fullmatch(name):
            raise Invalid(
                "the name of the file is not valid",
                errors=[{"parameter": "name", "message": "use 1 to 100 of A-Z a-z 0-9 . _ -"}],
            )
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared[:20]) > self._bounds.upload:
            raise self._too_large()
        if self._senders.total() >= self._bounds.uploads:
            raise Overloaded("too many uploads are arriving at once")
        if self._senders[sender] >= self._bounds.uploads_of_one:
            raise Overloaded(
                "too many uploads are arriving from one address",
                hint=f"send at most {self._bounds.uploads_of_one} at once",
            )
        self._senders[sender] += 1
        upload = object()
        self._arrived[upload] = 0
        try:
            async with asyncio.timeout(self._bounds.upload_s):
                return await self._store(name, content_type, self._counted(receive, upload))
        except TimeoutError as error:
            raise InvalidBody(
                f"the body did not arrive within {self._bounds.upload_s:g} s"
            ) from error
        finally:
            del self._arrived[upload]
            self._senders[sender] -= 1
            self._senders += Counter()  # forget those that have none

    def _counted(self, receive: Receive, upload: object) -> Receive:
        """Return ``receive`` that refuses what all files together have no room for."""
        kept: int | None = None

        async def counted() -> Any:
            nonlocal kept
            message: Any = await receive()
            self._arrived[upload] += len(message.get("body", b""))
            if kept is None:
                row = await self._files.row("upload_usage")
                kept = row["bytes"] if row else 0
            if kept + sum(self._arrived.values()) > self._bounds.upload_quota:
                raise QuotaReached(
                    f"{self._bounds.upload_quota:,} bytes of files are kept, and no more",
                    hint="delete some, wait until they expire, or set PGQUEUE_UPLOAD_QUOTA_BYTES",
                )
            return message

        return counted

    def _type(self, headers: Mapping[bytes, bytes]) -> str:
        given = headers.get(b"content-type", b"").decode("latin-1")
        kind, _, rest = given.partition(";")
        kind = kind.strip().lower()
        if kind not in self._bounds.upload_types:
            raise UnsupportedMedia(
                f"files of type {kind[:100] or 'nothing'} are not accepted",
                hint=f"send one of {', '.join(sorted(self._bounds.upload_types))}",
            )
        if kind.startswith("text/") and "charset" in rest.lower():
            charset = rest.lower().partition("charset=")[2].strip(' "')
            if charset not in ("utf-8", "utf8", "us-ascii"):
                raise UnsupportedMedia("text must be in UTF-8")
        return kind

    async def _store(self, name: str | None, content_type: str, receive: Receive) -> str:
        pool, bounds = self._files, self._bounds
        row = await pool.row(
            "begin_upload",
            {"name": name, "content_type": content_type, "within_s": bounds.upload_s + 60},
        )
        assert row is not None
        id: str = row["id"]
        try:
            size, digest = await self._append(id, content_type, receive)
            upload = {"id": id, "size": size, "sha256": digest, "keep_s": bounds.upload_keep_s}
            await pool.rows("finish_upload", upload)
        except BaseException:
            with suppress(PgQueueError):
                await asyncio.shield(pool.rows("delete_upload", {"id": id}))
            raise
        return id

    async def _append(self, id: str, content_type: str, receive: Receive) -> tuple[int, bytes]:
        size, n, digest = 0, 0, hashlib.sha256()
        async for piece in self._pieces(receive):
            if not n:
                _look(piece, content_type)
            digest.update(piece)
            await self._files.rows("append_upload", {"id": id, "n": n, "data": piece})
            size += len(piece)
            n += 1
        if not n:
            raise InvalidBody("the body is empty", hint="send the file as the body")
        return size, digest.digest()

    async def _pieces(self, receive: Receive) -> AsyncIterator[bytes]:
        """Yield the body in pieces of 1 MiB; the last one is shorter."""
        bounds, loop = self._bounds, asyncio.get_running_loop()
        limit, size, gathered = bounds.upload, 0, bytearray()
        deadline = loop.time() + bounds.body_s
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    message: Any = await receive()
            except TimeoutError as error:
                raise InvalidBody(
                    f"the body arrives too slowly: not {bounds.upload_rate:,} bytes a second",
                    hint="send it faster, or compress it",
                ) from error
            # each byte is worth a moment, and nobody saves up more of them than they have at first
            earned = deadline + len(message.get("body", b"")) / bounds.upload_rate
            deadline = min(earned, loop.time() + bounds.body_s)
            if message["type"] != "http.request":
                raise InvalidBody("the client disconnected in the middle of the body")
            body = message.get("body", b"")
            size += len(body)
            if size > limit:
                raise self._too_large()
            gathered += body
            while len(gathered) >= _PIECE:
                yield bytes(memoryview(gathered)[:_PIECE])
                del gathered[:_PIECE]
            if not message.get("more_body"):
                if gathered:
                    yield bytes(gathered)
                return

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"the file has more than {self._bounds.upload:,} bytes",
            hint="PGQUEUE_UPLOAD_BYTES sets the limit",
        )


def _look(piece: bytes, content_type: str) -> None:
    """Raise ``Invalid`` unless a file begins as its type does."""
    known = _BEGINNINGS.get(content_type)
    if known is not None:
        fits = piece.startswith(known) and (content_type != "image/webp" or piece[8:12] == b"WEBP")
    elif content_type.startswith(_TEXTS):
        fits = _is_text(piece[:_LOOKED_AT])
    else:
        fits = True
    if not fits:
        raise InvalidBody(
            f"the file is not what its type says: {content_type}",
            hint="send it with its own Content-Type",
        )


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # a character may be cut at the end of what is looked at
        return len(head) == _LOOKED_AT and error.start >= len(head) - 3
    return True
