"""What the payload models of the built-in types share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = ["FileRef", "Payload", "TaskFile", "without_null_defaults"]


def without_null_defaults(schema: dict[str, Any]) -> None:
    """Leave out ``"default": null``: an absent key is the only way to say "none"."""
    for prop in schema.get("properties", {}).values():
        if "default" in prop and prop["default"] is None:
            del prop["default"]


class Payload(BaseModel):
    """A part of a payload: nothing is converted, and unknown keys are refused."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        json_schema_extra=without_null_defaults,
        hide_input_in_errors=True,
    )


# As in pgqueue.artifacts, whose import brings a database driver. The child of an engine does not
# need that, and would spend most of its time on loading it.
_Id = Annotated[
    str,
    StringConstraints(
        pattern=r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
    ),
]


class TaskFile(Payload):
    """A file that a task has saved."""

    task_id: _Id = Field(description="The task that saved it.")
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")] = Field(
        description="Its name there, such as report.pdf."
    )


FileRef = _Id | TaskFile
"""How a payload names a file: the id of an upload, or an artifact of a task."""
