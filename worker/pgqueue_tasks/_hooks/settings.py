"""The configuration of a source: from the worker's environment only, never from a payload."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import cast, get_args

from pydantic import TypeAdapter, ValidationError

from pgqueue_tasks.errors import EngineFailed, InputRefused

from .models import Scheme

__all__ = ["Source"]


@dataclass(frozen=True, slots=True)
class Source:
    """A service that may send webhooks, and what happens to them.

    It has two secrets while one replaces the other.
    """

    scheme: Scheme
    secrets: tuple[str, ...] = field(repr=False)
    map: dict[str, str] | None
    forward_url: str | None

    @classmethod
    def named(cls, name: str) -> Source:
        """Read PGQUEUE_HOOK_<NAME>_SECRET, _SECRET_OLD, _SCHEME, _MAP and _FORWARD_URL.

        No variable ends as another one does, so no two sources share one: with _OLD_SECRET the
        source github-old would read what github no longer signs with.
        """
        prefix = f"PGQUEUE_HOOK_{name.upper().replace('-', '_')}_"
        named = (os.environ.get(prefix + name, "") for name in ("SECRET", "SECRET_OLD"))
        secrets = tuple(secret for secret in named if secret)
        if not secrets:
            raise InputRefused(f"this worker has no secret for {name!r}: set {prefix}SECRET")
        usual = name if name in get_args(Scheme) else "standard"
        scheme = os.environ.get(prefix + "SCHEME", usual)
        if scheme not in get_args(Scheme):
            raise EngineFailed(f"{prefix}SCHEME must be one of {', '.join(get_args(Scheme))}")
        try:
            text = os.environ.get(prefix + "MAP")
            fields = TypeAdapter(dict[str, str]).validate_json(text) if text else None
        except ValidationError:
            raise EngineFailed(
                f"{prefix}MAP is not a JSON object of JMESPath expressions"
            ) from None
        forward_url = os.environ.get(prefix + "FORWARD_URL") or None
        return cls(cast("Scheme", scheme), secrets, fields, forward_url)
