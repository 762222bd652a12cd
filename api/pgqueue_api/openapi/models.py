"""JSON Schemas of the models, as pydantic derives them: what is documented is what is validated.

Litestar's own plugin for pydantic leaves out the docstrings of models, and the bounds of TypedDicts
(see docs/adr/0014).
"""

from __future__ import annotations

from typing import Any, is_typeddict

from litestar.openapi.spec import Schema
from litestar.plugins import OpenAPISchemaPlugin
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

__all__ = ["Models", "schema_of"]

_REFERENCE = "#/components/schemas/{model}"


class _Reference(Schema):
    """A reference to the schema of a model, which Litestar passes on as it is."""

    def __init__(self, schema: dict[str, Any]) -> None:
        super().__init__()
        self._schema = schema

    def to_schema(self) -> dict[str, Any]:
        return self._schema


class _Generator(GenerateJsonSchema):
    """JSON Schemas without pydantic's titles, and with null as a type."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default", ...) is None:  # "left out" and null say the same
            del made["default"]
        return made

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        made = super().nullable_schema(schema)
        inner, *others = made.get("anyOf", [{}])
        if len(others) == 1 and isinstance(inner.get("type"), str) and "enum" not in inner:
            return {**inner, "type": [inner["type"], "null"]}
        return made

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        return _untitled(super().model_schema(schema))

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        return _untitled(super().typed_dict_schema(schema))

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        return _untitled(super().enum_schema(schema))


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the whole schema of one model, with those within it."""
    return model.model_json_schema(schema_generator=_Generator)


def _untitled(schema: JsonSchemaValue) -> JsonSchemaValue:
    return {name: value for name, value in schema.items() if name != "title"}


class Models(OpenAPISchemaPlugin):
    """Refers to models by their name, and knows afterwards which were referred to."""

    def __init__(self) -> None:
        self._named: dict[str, Any] = {}

    @staticmethod
    def is_plugin_supported_type(value: Any) -> bool:
        """Return whether this is a model."""
        return is_typeddict(value) or (isinstance(value, type) and issubclass(value, BaseModel))

    def to_openapi_schema(self, field_definition: Any, schema_creator: Any) -> Schema:  # noqa: ARG002
        """Return a reference to a model."""
        return _Reference(self.refer(field_definition.annotation))

    def refer(self, model: Any) -> dict[str, Any]:
        """Return a reference to a model."""
        self._named[model.__name__] = model
        return {"$ref": _REFERENCE.format(model=model.__name__)}

    def schemas(self) -> dict[str, Any]:
        """Return the schemas of all models referred to, and of those within them."""
        adapters = [(name, "validation", TypeAdapter(of)) for name, of in self._named.items()]
        _, made = TypeAdapter.json_schemas(
            adapters,  # type: ignore[arg-type]
            ref_template=_REFERENCE,
            schema_generator=_Generator,
        )
        definitions: dict[str, Any] = made.get("$defs", {})
        return definitions
