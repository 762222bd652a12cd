"""JSON Schemas of the models, as pydantic derives them: what is documented is what is validated."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

__all__ = ["GENERATOR", "schema_of"]


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


GENERATOR: type[GenerateJsonSchema] = _Generator


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the whole schema of one model, with those within it."""
    return model.model_json_schema(schema_generator=_Generator)


def _untitled(schema: JsonSchemaValue) -> JsonSchemaValue:
    return {name: value for name, value in schema.items() if name != "title"}
