"""The schemas of the models that the document refers to.

Litestar's own plugin for pydantic leaves out the docstrings of models, and the bounds of TypedDicts
(see docs/adr/0014).
"""

from __future__ import annotations

from typing import Any, is_typeddict

from litestar.openapi.spec import Schema
from litestar.plugins import OpenAPISchemaPlugin
from pydantic import BaseModel, TypeAdapter

from pgqueue_api.model_schemas import GENERATOR

__all__ = ["Models"]

_REFERENCE = "#/components/schemas/{model}"


class _Reference(Schema):
    """A reference to the schema of a model, which Litestar passes on as it is."""

    def __init__(self, schema: dict[str, Any]) -> None:
        super().__init__()
        self._schema = schema

    def to_schema(self) -> dict[str, Any]:
        return self._schema


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
            schema_generator=GENERATOR,
        )
        definitions: dict[str, Any] = made.get("$defs", {})
        return definitions
