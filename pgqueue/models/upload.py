"""Uploads: files that clients send in for tasks to work on."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from pgqueue.models.base import Record, Uuid

__all__ = ["FILE_NAME", "Upload"]

FILE_NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


class Upload(Record):
    """A file that a client uploaded."""

    id: Uuid = Field(description="How payloads name the file.")
    name: str | None
    content_type: str
    size: int = Field(description="In bytes.")
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    created_at: datetime
    expires_at: datetime = Field(description="When it is deleted.")
    href: str = Field(description="The path to download it from.")
