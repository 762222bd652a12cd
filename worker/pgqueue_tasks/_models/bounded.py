"""Bounds how much of an answer is read. Imported with the client, on first use."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2

from pgqueue_tasks.errors import EngineFailed

__all__ = ["bounding"]


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, max_bytes: int) -> None:
        self._stream = stream
        self._left = max_bytes
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._left -= len(chunk)
            if self._left < 0:
                raise EngineFailed(f"the endpoint sent more than {self._max_bytes:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def bounding(max_bytes: int, silent_s: float) -> httpx2.AsyncClient:
    """Return a client that bounds the size of answers, and their pauses by ``silent_s``."""

    async def bound(response: httpx2.Response) -> None:
        # decompressed data has no bound
        if response.headers.get("content-encoding", "identity") != "identity":
            raise EngineFailed("the endpoint compressed its answer although it was asked not to")
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Bounded(response.stream, max_bytes)

    return httpx2.AsyncClient(
        follow_redirects=False, timeout=silent_s, event_hooks={"response": [bound]}
    )
