"""Notices: what people should know of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pgqueue.models.base import Page, Record

__all__ = ["Notice", "NoticePage"]


class Notice(Record):
    """Something that people should know about, such as growing dead letters."""

    id: int
    at: datetime
    kind: str
    queue: str | None
    message: str
    data: dict[str, Any]


class NoticePage(Page):
    """A page of notices, latest first."""

    items: list[Notice]
