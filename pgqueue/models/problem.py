"""Errors as the HTTP API answers with them (RFC 9457)."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from pgqueue.models.base import examples

__all__ = ["Place", "Problem"]


class Place(TypedDict):
    """An error at one place of the request."""

    pointer: NotRequired[Annotated[str, Field(description="A JSON pointer into the body.")]]
    parameter: NotRequired[
        Annotated[str, Field(description="The name of a parameter, instead of a pointer.")]
    ]
    message: str


@with_config(
    examples(
        {
            "type": "/docs#payload_invalid",
            "title": "Unprocessable Entity",
            "status": 422,
            "code": "payload_invalid",
            "detail": "the payload does not fit the schema of 'sleep'",
            "hint": "GET /v1/types/sleep shows the schema",
            "errors": [
                {"pointer": "/payload/delay_ms", "message": '"soon" is not of type "integer"'}
            ],
        }
    )
)
class Problem(TypedDict):
    """An error (RFC 9457)."""

    type: Annotated[str, Field(description="A link to the explanation of the problem.")]
    title: str
    status: int
    code: Annotated[str, Field(description="What went wrong, for programs. Codes never change.")]
    detail: Annotated[str, Field(description="What went wrong, for people.")]
    hint: NotRequired[Annotated[str, Field(description="What to do about it.")]]
    task_id: NotRequired[
        Annotated[str, Field(description="The id of the other task, if that is the problem.")]
    ]
    errors: NotRequired[list[Place]]
