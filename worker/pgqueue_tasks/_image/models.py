"""Payload and result of `image_gen`; the API validates against their JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema

from pgqueue_tasks._schema import FileRef, Payload, without_null_defaults

__all__ = [
    "Convert",
    "ImagePayload",
    "ImageResult",
    "Operation",
    "Resize",
    "Thumbnail",
    "Watermark",
]

Side = Annotated[int, Field(ge=1, le=8192)]
Format = Literal["png", "jpeg", "webp"]


class Resize(Payload):
    """Resize. With only one side, the other keeps the proportions."""

    op: Literal["resize"]
    width: Side | SkipJsonSchema[None] = None
    height: Side | SkipJsonSchema[None] = None
    fit: Literal["contain", "cover", "stretch"] = Field(
        default="contain",
        description="With both sides: fit within them, cover them and crop, or stretch to them.",
    )

    @model_validator(mode="after")
    def _sized(self) -> Resize:
        if self.width is None and self.height is None:
            raise ValueError("resize needs a width, a height or both")
        return self


class Thumbnail(Payload):
    """A square, from the middle."""

    op: Literal["thumbnail"]
    size: Annotated[int, Field(ge=1, le=1024)] = Field(default=256, description="Its side.")


class Watermark(Payload):
    """A text over the picture."""

    op: Literal["watermark"]
    text: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    position: Literal["top-left", "top-right", "center", "bottom-left", "bottom-right"] = (
        "bottom-right"
    )
    opacity: Annotated[float, Field(ge=0.05, le=1)] = 0.5


class Convert(Payload):
    """Another format."""

    op: Literal["convert"]
    format: Format
    quality: Annotated[int, Field(ge=1, le=100)] = Field(
        default=85, description="For jpeg and webp."
    )


Operation = Annotated[Resize | Thumbnail | Watermark | Convert, Field(discriminator="op")]


def _prompt_or_source(schema: dict[str, Any]) -> None:
    without_null_defaults(schema)
    schema["oneOf"] = [{"required": ["prompt"]}, {"required": ["source"]}]


class ImagePayload(Payload):
    """A picture drawn from a prompt, or an existing one, and operations on it."""

    model_config = ConfigDict(title="image_gen", json_schema_extra=_prompt_or_source)

    prompt: (
        Annotated[str, StringConstraints(min_length=1, max_length=4_000)] | SkipJsonSchema[None]
    ) = Field(default=None, description="What to draw.")
    source: FileRef | SkipJsonSchema[None] = Field(
        default=None,
        description="An existing picture instead of a prompt: PNG, JPEG, WebP or GIF, at most "
        "32 MiB.",
    )
    provider: Literal["openai", "local"] | SkipJsonSchema[None] = Field(
        default=None,
        description="By default `openai` if the worker has an endpoint, else `local`.",
    )
    model: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}$")]
        | SkipJsonSchema[None]
    ) = Field(default=None, description="By default the worker's.")
    width: Annotated[int, Field(ge=64, le=2048)] = Field(
        default=1024, description="Of the drawing; models support only a few sizes."
    )
    height: Annotated[int, Field(ge=64, le=2048)] = 1024
    operations: list[Operation] = Field(
        fail_fast=True, default_factory=list, max_length=10, description="Applied in this order."
    )

    @model_validator(mode="after")
    def _one(self) -> ImagePayload:
        if (self.prompt is None) == (self.source is None):
            raise ValueError("pass a prompt or a source")
        return self


class ImageResult(BaseModel):
    """The artifact with the picture, and its properties."""

    model_config = ConfigDict(extra="forbid")

    artifact: str = Field(description="Its name under /v1/tasks/{id}/artifacts/.")
    format: Format
    width: int
    height: int
    bytes: int
    sha256: str = Field(description="The hash of the file, in hexadecimal.")
    provider: Literal["openai", "local"] | None = Field(
        description="`local` draws a pattern from the prompt's hash, not a picture of it. "
        "null: the picture was the payload's own."
    )
    model: str | None
