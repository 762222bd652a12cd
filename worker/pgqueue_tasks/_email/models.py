"""Payload and result of `email_campaign`; the API validates against their JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from pgqueue_tasks._schema import MaxKeys, Payload, without_null_defaults

from .addresses import Address

__all__ = ["CampaignPayload", "CampaignResult", "Recipient", "RecipientOutcome"]

MAX_RECIPIENTS = 1000

_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"

Line = Annotated[str, StringConstraints(pattern=_LINE, max_length=200)]
Template = Annotated[str, StringConstraints(min_length=1, max_length=100_000)]


def _a_body(schema: dict[str, Any]) -> None:
    without_null_defaults(schema)
    schema["anyOf"] = [{"required": ["text"]}, {"required": ["html"]}]


class Recipient(Payload):
    """Who gets a message, and the variables of the template for them."""

    email: Annotated[str, StringConstraints(min_length=1, max_length=1000)] = Field(
        description="The address. If it is not one, this recipient is refused; the others get "
        "their messages."
    )
    name: Line = Field(default="", description="Shown in the To header; `{{ name }}` in templates.")
    data: Annotated[dict[str, Any], MaxKeys(100)] = Field(
        default_factory=dict, description="More variables for the templates."
    )


class CampaignPayload(Payload):
    """One message for each recipient, rendered from a template."""

    model_config = ConfigDict(json_schema_extra=_a_body, title="email_campaign")

    sender: Address | SkipJsonSchema[None] = Field(
        default=None, alias="from", description="By default the worker's PGQUEUE_SMTP_FROM."
    )
    sender_name: Line = Field(default="", alias="from_name", description="Shown with `from`.")
    reply_to: Address | SkipJsonSchema[None] = Field(default=None, description="Where replies go.")
    subject: Annotated[str, StringConstraints(pattern=_LINE, min_length=1, max_length=500)] = Field(
        description="A Jinja2 template that renders to one line."
    )
    text: Template | SkipJsonSchema[None] = Field(
        default=None, description="A Jinja2 template: the message as plain text."
    )
    html: Template | SkipJsonSchema[None] = Field(
        default=None, description="A Jinja2 template: the message as HTML; variables are escaped."
    )
    recipients: list[Recipient] = Field(
        fail_fast=True,
        min_length=1,
        max_length=MAX_RECIPIENTS,
        description="Each gets one message, at most once.",
    )

    def model_post_init(self, _: Any) -> None:
        """Refuse a message without a body."""
        if self.text is None and self.html is None:
            raise ValueError("pass text, html or both")


class RecipientOutcome(Payload):
    """What became of one message."""

    email: str
    status: Literal["sent", "kept", "refused", "unknown"] = Field(
        description="`kept`: in the artifact. `refused`: not an address, or refused by the server "
        "for good. `unknown`: it may have been sent when the connection or the worker ended, and "
        "was not sent again."
    )
    detail: str = Field(default="", description="Why it was refused, or what the server said.")


class CampaignResult(Payload):
    """What became of each message, in the order of the recipients."""

    delivery: Literal["smtp", "outbox"] = Field(
        description="`outbox`: the worker has no SMTP server, so the messages are in the artifact."
    )
    counts: dict[str, int] = Field(description="How many have each status.")
    recipients: list[RecipientOutcome]
    truncated: bool = Field(
        description="Whether `recipients` was cut at 200 kB; `counts` covers all of them."
    )
    artifact: str | None = Field(
        default=None, description="The file with the messages, if delivery is `outbox`."
    )
