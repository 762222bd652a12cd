"""Copies a file to aggregate from the database to this machine's disk while it is needed."""

from __future__ import annotations

import asyncio
import tempfile
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pgqueue import Context
from pgqueue_tasks.errors import InputRefused

from .models import AggregationPayload

__all__ = ["fetched"]

MAX_UNPACKED = 4 << 30
_PIECE = 1 << 20
_HARMLESS = 64 << 20
_MAX_RATIO = 200


@asynccontextmanager
async def fetched(ctx: Context, payload: AggregationPayload) -> AsyncIterator[dict[str, str]]:
    """The path and the format of the payload's artifact, unpacked; it is gone after the block.

    Raises InputRefused for a type that is neither, and for gzip that is broken or that unpacks to
    more than 4 GiB, or to more than 200 times its size.
    """
    assert payload.artifact is not None
    ref: Any = payload.artifact
    artifact = await ctx.open_artifact(ref if isinstance(ref, str) else ref.model_dump())
    kind = artifact.content_type.split(";")[0]
    name = artifact.name or ""
    packed = kind == "application/gzip"
    if kind == "application/vnd.apache.parquet" or name.endswith(".parquet"):
        shape = "parquet"
    elif packed or kind in ("text/csv", "text/plain"):
        shape = "csv"
    else:
        raise InputRefused(f"artifact: it is {kind}; only CSV, gzipped CSV and Parquet can be read")
    with tempfile.TemporaryDirectory(prefix="pgqueue-") as folder:
        path = Path(folder) / f"data.{shape}"
        if packed:
            await _unpack(artifact, path)
        else:
            await artifact.save(path)
        ctx.progress(10, f"{path.stat().st_size:,} bytes fetched")
        yield {"path": str(path), "format": shape}


async def _unpack(artifact: Any, path: Path) -> None:
    inflate = zlib.decompressobj(wbits=31)
    size = taken = 0
    with await asyncio.to_thread(path.open, "wb") as out:
        async for piece in artifact:
            taken += len(piece)
            left = piece
            while left and not inflate.eof:
                try:
                    plain = await asyncio.to_thread(inflate.decompress, left, _PIECE)
                except zlib.error as error:
                    raise InputRefused(f"artifact: this is not gzip: {error}") from None
                left = inflate.unconsumed_tail
                size += len(plain)
                if size > MAX_UNPACKED or (size > _HARMLESS and size > taken * _MAX_RATIO):
                    raise InputRefused(
                        f"artifact: {taken:,} bytes unpack to more than {size:,}, which is refused"
                    )
                await asyncio.to_thread(out.write, plain)
    if not inflate.eof:
        raise InputRefused("artifact: the gzip file is truncated")
    if inflate.unused_data:
        raise InputRefused("artifact: data follows the gzip stream; send a single gzip member")
