"""The app whose handlers open files, in each way that a handler runs."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pgqueue import ArtifactRef, Context, PgQueue

app = PgQueue()


class File(BaseModel):
    file: ArtifactRef


def summary(artifact: Any, pieces: list[bytes], saved: bytes, read: bytes) -> dict[str, Any]:
    whole = b"".join(pieces)
    assert whole == saved == read
    return {
        "name": artifact.name,
        "content_type": artifact.content_type,
        "size": artifact.size,
        "sha256": hashlib.sha256(whole).hexdigest(),
        "pieces": [len(piece) for piece in pieces],
        "pid": os.getpid(),
    }


async def asynchronous(ctx: Context, payload: File) -> dict[str, Any]:
    artifact = await ctx.open_artifact(payload.file)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        await artifact.save(path)
        pieces = [piece async for piece in artifact]
        return summary(artifact, pieces, path.read_bytes(), await artifact.read())


def plain(ctx: Context, payload: File) -> dict[str, Any]:
    artifact = ctx.open_artifact(payload.file)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        artifact.save(path)
        return summary(artifact, list(artifact), path.read_bytes(), artifact.read())


app.task("on_the_loop", max_attempts=1)(asynchronous)
app.task("in_a_thread", max_attempts=1)(plain)
app.task("isolated_async", max_attempts=1, isolation="process")(asynchronous)
app.task("isolated_plain", max_attempts=1, isolation="process")(plain)


@app.task("makes")
async def makes(ctx: Context) -> None:
    await ctx.save_artifact("made.txt", b"of a task", "text/plain")


@app.task("too_much", max_attempts=1)
async def too_much(ctx: Context, payload: File) -> None:
    await (await ctx.open_artifact(payload.file)).read(max_bytes=3)
