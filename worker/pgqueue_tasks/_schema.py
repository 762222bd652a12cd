"""What the payload models of the built-in types share.

They cost little to refuse, whatever is sent. Pydantic gathers each error of a payload, and a few
bytes of it can have many, so here lists stop at their first one (`fail_fast`), objects are counted
before their values are looked at, and a scalar has one error instead of one for each kind.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = ["FileRef", "MaxKeys", "Payload", "Scalar", "TaskFile", "without_null_defaults"]

_MAX_KEYS = 50  # of a model, which has fewer fields


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

    @model_validator(mode="before")
    @classmethod
    def _few_keys(cls, value: Any) -> Any:
        return _bounded(value, _MAX_KEYS)


@dataclass(frozen=True, slots=True)
class MaxKeys:
    """Bounds an object's keys before any of them is looked at."""

    count: int

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Count, then validate as without this."""
        return core_schema.no_info_before_validator_function(
            lambda value: _bounded(value, self.count), handler(source)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Publish the bound."""
        return handler(schema) | {"maxProperties": self.count}


@dataclass(frozen=True, slots=True)
class Scalar:
    """Accepts a boolean, a finite number, a text, or null unless ``null`` is false."""

    null: bool = True
    max_length: int | None = None
    max_number: int | None = None
    """Of a number's absolute value."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Validate it with one look."""
        return core_schema.no_info_plain_validator_function(self._checked)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Publish the kinds and bounds."""
        bounds: dict[str, Any] = {
            "maxLength": self.max_length,
            "minimum": None if self.max_number is None else -self.max_number,
            "maximum": self.max_number,
        }
        kinds = ["boolean", "number", "string", *(["null"] if self.null else [])]
        return {"type": kinds} | {k: bound for k, bound in bounds.items() if bound is not None}

    def _checked(self, value: Any) -> Any:
        match value:
            case None if self.null:
                return None
            case bool():
                return value
            case int() | float():
                if isinstance(value, float) and not math.isfinite(value):
                    raise PydanticCustomError("finite_number", "must be a finite number")
                if self.max_number is not None and abs(value) > self.max_number:
                    raise PydanticCustomError(
                        "number_too_large",
                        "must be a number within ±{max}",
                        {"max": self.max_number},
                    )
                return value
            case str():
                if self.max_length is not None and len(value) > self.max_length:
                    raise PydanticCustomError(
                        "string_too_long",
                        "must have at most {max} characters",
                        {"max": self.max_length},
                    )
                return value
        raise PydanticCustomError(
            "scalar_type",
            "must be true, false, a number, a text or null"
            if self.null
            else "must be true, false, a number or a text",
        )


def _bounded(value: Any, max_keys: int) -> Any:
    if isinstance(value, dict) and len(value) > max_keys:
        raise PydanticCustomError(
            "too_many_keys", "must have at most {max} keys", {"max": max_keys}
        )
    return value


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
