"""What models are made of: the two bases, and the fields that several nouns share.

A field without a default is always present in what is read. The description of a field is the
sentence that the documentation of the HTTP API shows.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema

__all__ = [
    "EXAMPLE_ID",
    "INPUT",
    "LONGEST_DELAY_S",
    "NULLABLE_UUID_SCHEMA",
    "QUEUE_NAME",
    "UUID_SCHEMA",
    "Anything",
    "Count",
    "Delay",
    "GivenReason",
    "Input",
    "Key",
    "Name",
    "Page",
    "Priority",
    "QueueName",
    "Record",
    "Url",
    "Uuid",
    "Whole",
    "examples",
]

T = TypeVar("T")

QUEUE_NAME = "^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,99}$"
EXAMPLE_ID = "019b2f6e-8a3c-7d12-8000-0a1b2c3d4e5f"

INPUT = ConfigDict(extra="forbid", strict=True)
"""What is written: types are exact, and unknown fields are refused."""


def examples(*values: JsonValue) -> ConfigDict:
    """Return the configuration of a model that the documentation shows with these examples."""
    return ConfigDict(json_schema_extra={"examples": [*values]})


class Record(BaseModel):
    """What is read. Fields that a newer server adds are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Input(BaseModel):
    """What is written: types are exact, and unknown fields are refused."""

    model_config = ConfigDict(**INPUT, frozen=True, defer_build=True)


class Page(Record):
    """A list of which this is one page."""

    next: str | None = Field(
        description="The cursor of the next page; null when this is the last one."
    )


class GivenReason(Input):
    """Why something is done."""

    model_config = examples({"reason": "ordered by mistake"})

    reason: str | None = Field(default=None, description="Why, in at most 1,000 characters.")

    @property
    def text(self) -> str | None:
        """The reason as it is stored."""
        return self.reason[:1000] if self.reason else None


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)
"""Takes 5.0 for 5: JSON knows only one kind of number. It stands after the bounds of an `int`."""

Count = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Key = Annotated[str, Field(min_length=1, max_length=255)]
LONGEST_DELAY_S = 10 * 365 * 86_400
Delay = Annotated[float, Field(ge=0, le=LONGEST_DELAY_S)]
QueueName = Annotated[str, Field(pattern=QUEUE_NAME)]
Priority = Annotated[
    Annotated[int, Field(ge=0, le=10), Whole] | Literal["high", "normal", "low"] | None,
    Field(description="0 (first) to 10 (last); high is 2, normal is 5, low is 8."),
]
UUID_SCHEMA = WithJsonSchema({"type": "string", "format": "uuid"})
NULLABLE_UUID_SCHEMA = WithJsonSchema({"type": ["string", "null"], "format": "uuid"})
Uuid = Annotated[str, UUID_SCHEMA]
Url = Annotated[
    str,
    Field(
        max_length=2048,
        pattern=r"^https?://([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?#][!-~]*)?$",
    ),
]
Anything = Annotated[Any, WithJsonSchema({"description": "Any JSON value."})]
"""A JSON value that pgqueue stores and never looks into."""
