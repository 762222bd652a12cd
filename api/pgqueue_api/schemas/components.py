"""All schemas that the OpenAPI document refers to by name."""

from __future__ import annotations

from pgqueue_api.schemas import (
    groups,
    schedules,
)
from pgqueue_api.schemas.parts import Schema

__all__ = ["COMPONENTS"]

COMPONENTS: dict[str, Schema] = {
    **groups.COMPONENTS,
    **schedules.COMPONENTS,
}
