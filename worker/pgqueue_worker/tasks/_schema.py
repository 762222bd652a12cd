"""What the payload models of the built-in types share."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["Payload", "without_null_defaults"]


def without_null_defaults(schema: dict[str, Any]) -> None:
    """Leave out ``"default": null``: an absent key is the only way to say "none"."""
    for prop in schema.get("properties", {}).values():
        if "default" in prop and prop["default"] is None:
            del prop["default"]


class Payload(BaseModel):
    """A part of a payload: nothing is converted, nothing unknown is let through."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        json_schema_extra=without_null_defaults,
        hide_input_in_errors=True,
    )
