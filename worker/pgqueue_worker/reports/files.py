"""Saves the files of tasks and reads them, over one connection: a call at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgqueue.database.link import Link
    from pgqueue.handlers.artifacts import ArtifactFacts, ArtifactKey

__all__ = ["Files"]


class Files:
    """The files of a process's tasks. A key is what ``pgqueue.handlers.artifacts`` makes."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._turn = asyncio.Lock()

    async def save(
        self, task_id: str, lease_id: int, name: str, data: bytes, content_type: str
    ) -> None:
        """Save a file. Raise ``LeaseLost`` when the lease no longer holds."""
        async with self._turn:
            await self._link.rows(
                "save_artifact",
                {
                    "task_id": task_id,
                    "lease_id": lease_id,
                    "name": name,
                    "content_type": content_type,
                    "data": bytes(data),
                },
            )

    async def find(self, key: ArtifactKey) -> ArtifactFacts:
        """Return what is known of a file: its name, content type, size and SHA-256."""
        async with self._turn:
            ((name, content_type, size, sha256),) = await self._link.rows("find_artifact", key)
        return {"file_name": name, "content_type": content_type, "size": size, "sha256": sha256}

    async def read(self, key: ArtifactKey, n: int) -> bytes:
        """Return the n-th MiB of a file."""
        async with self._turn:
            ((data,),) = await self._link.rows("read_artifact", {**key, "n": n})
        return bytes(data)
