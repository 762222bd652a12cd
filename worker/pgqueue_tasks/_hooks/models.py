"""Payload and result of `webhook_processing`; the API validates against their JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from pgqueue_tasks._schema import MaxKeys, Payload, without_null_defaults

__all__ = ["Forwarded", "HookPayload", "HookResult", "Scheme"]

Scheme = Literal["standard", "github", "stripe"]
Header = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]*$")]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


def _one_body(schema: dict[str, Any]) -> None:
    without_null_defaults(schema)
    schema["oneOf"] = [{"required": ["body"]}, {"required": ["body_base64"]}]


class HookPayload(Payload):
    """A webhook as it came, and what to do with it. `POST /v1/hooks/{source}` makes one."""

    model_config = ConfigDict(json_schema_extra=_one_body, title="webhook_processing")

    source: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")] = Field(
        description="Who sent it: names the worker's settings PGQUEUE_HOOK_<SOURCE>_…"
    )
    headers: Annotated[
        dict[Annotated[str, StringConstraints(max_length=100)], Header], MaxKeys(30)
    ] = Field(default_factory=dict, description="With lower-case names.")
    body: str | SkipJsonSchema[None] = Field(
        default=None, description="As it came: the signature is over these bytes, in UTF-8."
    )
    body_base64: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]*={0,2}$")] | SkipJsonSchema[None]
    ) = Field(default=None, description="A body that is not text.")
    received_at: Annotated[int, Field(ge=0, le=2**40)] | SkipJsonSchema[None] = Field(
        default=None,
        description="Unix time; by default when the task was created. The age of the signature is "
        "measured at this time.",
    )
    map: (
        Annotated[
            dict[Annotated[str, StringConstraints(max_length=100)], Expression],
            Field(min_length=1),
            MaxKeys(100),
        ]
        | SkipJsonSchema[None]
    ) = Field(
        default=None,
        description="JMESPath expressions over the body, by the field that gets their value. By "
        "default the worker's PGQUEUE_HOOK_<SOURCE>_MAP.",
    )
    forward_url: (
        Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=2048)]
        | SkipJsonSchema[None]
    ) = Field(
        default=None,
        description="Where to send the mapped fields, or without a map the body. By default the "
        "worker's PGQUEUE_HOOK_<SOURCE>_FORWARD_URL.",
    )

    def model_post_init(self, _: Any) -> None:
        """Require exactly one body."""
        if (self.body is None) == (self.body_base64 is None):
            raise ValueError("pass either body or body_base64")


class Forwarded(Payload):
    """The answer of the service that it was forwarded to."""

    status: int
    took_s: float
    body: str = Field(description="The beginning, at most 1 KiB.")


class HookResult(Payload):
    """What the task did."""

    source: str
    verified_by: Scheme = Field(description="The scheme of the valid signature.")
    mapped: dict[str, Any] | None = Field(description="The mapped fields, if there is a map.")
    forwarded: Forwarded | None
