"""Payload and result of `text_gen`; the API validates against their JSON Schema."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from pgqueue_tasks._models.chat import Usage
from pgqueue_tasks._schema import Payload

__all__ = ["TextPayload", "TextResult"]

Provider = Literal["openai", "local"]
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}$")]


class TextPayload(Payload):
    """A prompt, and how to answer it."""

    model_config = ConfigDict(title="text_gen")

    prompt: Annotated[str, StringConstraints(min_length=1, max_length=100_000)] = Field(
        description="The question, or the text to continue."
    )
    system: Annotated[str, StringConstraints(max_length=20_000)] = Field(
        default="", description="How the model should answer; `local` ignores it."
    )
    provider: Provider | SkipJsonSchema[None] = Field(
        default=None,
        description="By default `openai` if the worker has an endpoint, else `local`.",
    )
    model: ModelName | SkipJsonSchema[None] = Field(
        default=None, description="By default the worker's."
    )
    max_tokens: int = Field(
        default=512, ge=1, le=16_384, description="The maximum length; for `local`, in words."
    )
    temperature: Annotated[float, Field(ge=0, le=2)] | SkipJsonSchema[None] = Field(
        default=None, description="By default the endpoint's; `local` ignores it."
    )
    stop: list[Annotated[str, StringConstraints(min_length=1, max_length=100)]] = Field(
        fail_fast=True,
        default_factory=list,
        max_length=4,
        description="Texts at which the model stops.",
    )
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] | SkipJsonSchema[None] = Field(
        default=None,
        description="The same seed gives the same text: always with `local`, which without one "
        "takes it from the prompt; with a model, as far as it can.",
    )
    corpus: Annotated[str, StringConstraints(max_length=200_000)] = Field(
        default="", description="What `local` learns from, in place of the text that it comes with."
    )


class TextResult(BaseModel):
    """A text, and what wrote it."""

    model_config = ConfigDict(extra="forbid")

    text: str
    provider: Provider = Field(
        description="`local` is a Markov chain: it writes sentences that look like its corpus, "
        "not answers."
    )
    model: str
    finish_reason: str = Field(
        description="`stop`, `length` if it reached max_tokens, or the model's own reason."
    )
    usage: Usage
