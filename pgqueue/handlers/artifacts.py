"""Files that handlers work on: how a payload names them, and how they are read."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pgqueue.errors import UsageError
from pgqueue.handlers.steps import on_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from concurrent.futures import Future

    Find = Callable[["ArtifactKey"], Future["ArtifactFacts"]]
    Read = Callable[["ArtifactKey", int], Future[bytes]]

__all__ = [
    "Artifact",
    "ArtifactFacts",
    "ArtifactKey",
    "ArtifactRef",
    "TaskArtifact",
    "check_file",
    "key_of",
]

_MIB = 1024 * 1024
_MAX_READ = 16 * _MIB
_UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
_WORD = r"[A-Za-z0-9!#$&^_.+-]{1,100}"
_MEDIA_TYPE = re.compile(rf'{_WORD}/{_WORD}( *; *{_WORD}=({_WORD}|"[ !#-\[\]-~]*"))*')
_LONGEST_TYPE = 255

Id = Annotated[str, StringConstraints(pattern=_UUID)]


class ArtifactKey(TypedDict):
    """What the database finds a file by: an upload's id, or a task and a name."""

    upload_id: str | None
    task_id: str | None
    name: str | None


class ArtifactFacts(TypedDict):
    """What is known of a file before it is read."""

    file_name: str | None
    content_type: str
    size: int
    sha256: str


class TaskArtifact(BaseModel):
    """A file that a task has saved."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    task_id: Id = Field(description="The task that saved it.")
    name: Annotated[str, StringConstraints(pattern=_NAME)] = Field(
        description="Its name there, such as report.pdf."
    )


ArtifactRef = Annotated[
    Id | TaskArtifact,
    Field(
        description="A file: the id of an upload (POST /v1/artifacts), or an artifact of a task."
    ),
]
"""How a payload names a file."""


def check_file(name: str, content_type: str) -> None:
    """Raise ``UsageError`` for what a file cannot be called, or for what is no media type."""
    if not re.fullmatch(_NAME.strip("^$"), name):
        raise UsageError(
            f"an artifact cannot be called {name[:100]!r}",
            hint="a name has 1 to 100 of A-Z a-z 0-9 . _ - and begins with a letter or digit",
        )
    if len(content_type) > _LONGEST_TYPE or not _MEDIA_TYPE.fullmatch(content_type):
        raise UsageError(
            f"artifact {name!r}: {content_type[:100]!r} is not a media type",
            hint="such as application/pdf, or text/csv; charset=utf-8",
        )


def key_of(ref: str | UUID | TaskArtifact | dict[str, Any]) -> ArtifactKey:
    """Return the key by which the database finds a file; ``UsageError`` for what names none."""
    try:
        if isinstance(ref, str | UUID):
            return {"upload_id": str(UUID(str(ref))), "task_id": None, "name": None}
        made = ref if isinstance(ref, TaskArtifact) else TaskArtifact.model_validate(ref)
    except ValueError as error:
        raise UsageError(
            f"this does not name an artifact: {str(ref)[:200]}",
            hint='pass the id of an upload, or {"task_id": …, "name": …}',
        ) from error
    return {"upload_id": None, "task_id": made.task_id, "name": made.name}


@dataclass(frozen=True)
class Artifact:
    """A file to be read, in pieces of at most 1 MiB.

    Await ``read`` and ``save``, and iterate with ``async for``; in a thread call them, and iterate
    with ``for``. A file that was read to its end is checked against ``sha256``. Raises ``NotFound``
    when the file expires or is deleted while it is read.
    """

    name: str | None
    content_type: str
    size: int
    sha256: str
    _key: ArtifactKey = field(repr=False)
    _read: Read = field(repr=False)

    @classmethod
    def opening(
        cls, ref: str | UUID | TaskArtifact | dict[str, Any], find: Find, read: Read
    ) -> Any:
        """Find a file; on an event loop this returns an awaitable of it."""
        key = key_of(ref)
        found = find(key)
        if not on_loop():
            return cls._of(found.result(), key, read)

        async def opened() -> Artifact:
            return cls._of(await asyncio.wrap_future(found), key, read)

        return opened()

    @classmethod
    def _of(cls, found: ArtifactFacts, key: ArtifactKey, read: Read) -> Artifact:
        return cls(
            found["file_name"], found["content_type"], found["size"], found["sha256"], key, read
        )

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the pieces, in order."""
        seen = _Seen(self)
        for n in self._pieces():
            yield seen.take(await asyncio.wrap_future(self._read(self._key, n)))
        seen.check()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the pieces, in order, in a thread."""
        seen = _Seen(self)
        for n in self._pieces():
            yield seen.take(self._read(self._key, n).result())
        seen.check()

    def read(self, max_bytes: int = _MAX_READ) -> Any:
        """Return all of it; ``UsageError`` when it has more than ``max_bytes``."""
        if self.size > max_bytes:
            raise UsageError(
                f"the artifact has {self.size:,} bytes",
                hint=f"read returns at most {max_bytes:,}: iterate over the artifact instead",
            )
        if not on_loop():
            return b"".join(self)

        async def all_read() -> bytes:
            return b"".join([piece async for piece in self])

        return all_read()

    def save(self, path: str | Path) -> Any:
        """Write it to a file, which is replaced if it exists."""
        if not on_loop():
            with Path(path).open("wb") as out:
                out.writelines(self)
            return None

        async def saved() -> None:
            out = await asyncio.to_thread(Path(path).open, "wb")
            try:
                async for piece in self:
                    await asyncio.to_thread(out.write, piece)
            finally:
                await asyncio.to_thread(out.close)

        return saved()

    def _pieces(self) -> range:
        return range((self.size + _MIB - 1) // _MIB)


class _Seen:
    """Hashes what is read of a file, and checks at the end that it is the file."""

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._hash = hashlib.sha256()

    def take(self, piece: bytes) -> bytes:
        self._hash.update(piece)
        return piece

    def check(self) -> None:
        if self._hash.hexdigest() != self._artifact.sha256:
            raise UsageError(
                "the artifact changed while it was read",
                hint="the task that saved it ran again: read it again",
            )
