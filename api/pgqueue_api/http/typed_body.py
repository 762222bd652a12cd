"""Bodies as models: a handler that has ``data: LimitSettings`` gets one that is valid.

Litestar asks its ``Request`` for the JSON of a body. This one reads it within our bounds, refuses
what PostgreSQL could not store, and validates it by the model of the handler's signature.
"""

from __future__ import annotations

from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any

from litestar import Request
from pydantic import BaseModel, ValidationError

from pgqueue_api.http import bodies
from pgqueue_api.http.routing import names_in
from pgqueue_api.http.shapes import MAX_ERRORS, Shape, is_small
from pgqueue_api.model_schemas import schema_of
from pgqueue_api.problems import Invalid, InvalidJson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar.typing import FieldDefinition

    from pgqueue_api.bounds import Bounds

__all__ = ["TypedRequest", "places_in", "shape_of", "validate"]

_AROUND = 3  # levels of a body around a payload
_MAX_MESSAGE = 300


class TypedRequest(Request[Any, Any, Any]):
    """A request; ``within`` returns the class of requests with certain bounds."""

    bounds: Bounds

    @classmethod
    def within(cls, bounds: Bounds) -> type[TypedRequest]:
        """Return a class for Litestar to make requests of."""
        return type("TypedRequest", (cls,), {"bounds": bounds})

    @property
    def path_params(self) -> dict[str, Any]:
        """The parameters of the path; a name in it may hold slashes."""
        return names_in(self.scope["path_params"])

    async def body(self) -> bytes:
        """Return the body; raise ``InvalidJson`` if a handler needs one and there is none."""
        headers = dict(self.scope["headers"])
        limit = self.route_handler.resolve_request_max_body_size() or self.bounds.body
        content = await bodies.read(self.receive, headers, limit, self.bounds.body_s)
        if not content.strip():
            if not self._field.is_optional:
                bodies.require_json(headers)
                raise InvalidJson("the body is empty", hint="send a JSON object")
            return b""
        bodies.require_json(headers)
        self._body = content
        return content

    async def json(self) -> Any:
        """Return the body as the model that the handler's ``data`` is."""
        field = self._field
        model = field.annotation
        if field.is_optional:
            inner = [one.annotation for one in field.inner_types]
            [model] = [one for one in inner if one is not NoneType]
        assert isinstance(self._body, bytes)
        value = await bodies.parsed(self._body, self.bounds.depth + _AROUND)
        return validate(model, self._body, value)

    @property
    def _field(self) -> FieldDefinition:
        return self.route_handler.parsed_fn_signature.parameters["data"]


def validate(model: type[BaseModel], content: bytes, value: Any) -> BaseModel:
    """Return the model that a JSON text, and its value, is; else raise ``Invalid``.

    It points at each place of a small value, and at the first one of a large value.
    """
    shape = shape_of(model)
    small = is_small(value)
    if not small and not shape.fits(value):
        raise _invalid(shape.errors(value))
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise _invalid(places_in(error, value)) from error


@cache
def shape_of(model: type[BaseModel]) -> Shape:
    """Return the schema of a model."""
    return Shape(schema_of(model))


def places_in(error: ValidationError, value: Any, prefix: str = "") -> list[dict[str, str]]:
    """Return where a value is wrong, each place once: a union complains once for each member."""
    messages: dict[str, list[str]] = {}
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        path, message = one["loc"], one["msg"].removeprefix("Value error, ")
        if one["type"] == "missing":
            path, message = path[:-1], f"{path[-1]!r} is required"
        elif one["type"] == "extra_forbidden":
            path, message = path[:-1], f"there is no {str(path[-1])[:100]!r}"
        found = messages.setdefault(_pointer(path, value), [])
        if message not in found:
            found.append(message)
    return [
        {"pointer": prefix + pointer, "message": "; or ".join(found)[:_MAX_MESSAGE]}
        for pointer, found in list(messages.items())[:MAX_ERRORS]
    ]


def _invalid(places: list[dict[str, str]]) -> Invalid:
    return Invalid("the body is not valid", errors=places, hint="see /docs")


def _pointer(path: Sequence[str | int], value: Any) -> str:
    """Return a JSON pointer; the names of a union's members, which pydantic adds, end it."""
    pointer = ""
    for part in path:
        try:
            value = value[part]
        except (LookupError, TypeError):
            break
        pointer += "/" + str(part).replace("~", "~0").replace("/", "~1")
    return pointer
