"""Payload and result of `research_agent`; the API validates against their JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema

from pgqueue_tasks._models.chat import Usage
from pgqueue_tasks._schema import Payload, without_null_defaults

__all__ = ["ResearchPayload", "ResearchResult", "Source", "Text"]

Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]{1,2000}$")]


class Text(Payload):
    """A text to research in."""

    title: Annotated[str, StringConstraints(max_length=200)] = ""
    text: Annotated[str, StringConstraints(min_length=1, max_length=50_000)]


def _something_to_read(schema: dict[str, Any]) -> None:
    without_null_defaults(schema)
    schema["anyOf"] = [{"required": ["urls"]}, {"required": ["texts"]}]


class ResearchPayload(Payload):
    """A question, and where to look."""

    model_config = ConfigDict(title="research_agent", json_schema_extra=_something_to_read)

    question: Annotated[str, StringConstraints(min_length=3, max_length=500)] = Field(
        description="The question to answer."
    )
    urls: list[Url] = Field(
        fail_fast=True,
        default_factory=list,
        max_length=10,
        description="Pages to read, on public hosts.",
    )
    texts: list[Text] = Field(
        fail_fast=True,
        default_factory=list,
        max_length=20,
        description="Texts to read, after the pages.",
    )
    sentences: Annotated[int, Field(ge=1, le=20)] = Field(
        default=5, description="The maximum number of sentences of an answer without a model."
    )
    provider: Literal["openai", "local"] | SkipJsonSchema[None] = Field(
        default=None,
        description="By default `openai` if the worker has an endpoint, else `local`.",
    )
    model: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}$")]
        | SkipJsonSchema[None]
    ) = Field(default=None, description="By default the worker's.")
    max_tokens: Annotated[int, Field(ge=1, le=16_384)] = Field(
        default=1024, description="The maximum number of tokens of an answer with a model."
    )

    @model_validator(mode="after")
    def _some(self) -> ResearchPayload:
        if not self.urls and not self.texts:
            raise ValueError("pass urls or texts")
        return self


class Source(BaseModel):
    """A source that the answer may cite."""

    model_config = ConfigDict(extra="forbid")

    number: int = Field(description="The number in the answer: 1 for [1].")
    title: str
    url: str | None
    cited: bool


class Unread(BaseModel):
    """A page that could not be read."""

    model_config = ConfigDict(extra="forbid")

    url: str
    error: str


class ResearchResult(BaseModel):
    """An answer, and its sources."""

    model_config = ConfigDict(extra="forbid")

    answer: str = Field(description="Every statement is followed by its sources: [1] or [1][3].")
    sources: list[Source]
    unread: list[Unread] = Field(description="Pages that could not be read.")
    provider: Literal["openai", "local"] = Field(
        description="`local` picks sentences from the sources, and writes none of its own."
    )
    model: str
    usage: Usage | None
