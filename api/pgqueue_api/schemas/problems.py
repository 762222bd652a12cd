"""The JSON Schema of errors."""

from __future__ import annotations

from pgqueue_api.schemas.parts import Schema, object_of

__all__ = ["COMPONENTS"]

_PROBLEM = object_of(
    {
        "type": {"type": "string", "description": "where the problem is explained"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable, for programs"},
        "detail": {"type": "string", "description": "what happened, for people"},
        "hint": {"type": "string", "description": "what to do about it"},
        "task_id": {"type": "string", "description": "the other task, where that is the problem"},
        "errors": {
            "type": "array",
            "items": object_of(
                {
                    "pointer": {"type": "string", "description": "a JSON pointer into the body"},
                    "parameter": {"type": "string", "description": "or a parameter's name"},
                    "message": {"type": "string"},
                },
                "a place that is wrong",
                *("pointer", "parameter"),
            ),
        },
    },
    "An error (RFC 9457).",
    *("hint", "errors", "task_id"),
    examples=[
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
    ],
)

COMPONENTS: dict[str, Schema] = {"Problem": _PROBLEM}
