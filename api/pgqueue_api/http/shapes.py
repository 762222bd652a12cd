"""JSON Schemas, checked in an amount of work that the size of a value bounds.

Whether a value fits is decided at its first fault. To say where it does not fit costs far more:
jsonschema_rs gathers the faults of all branches of a union, of each branch's branches too, before
it returns the first: minutes for a kilobyte. So it reads a copy of the schema in which unions are
opaque, stops at the first fault of a large value, and names all faults of small ones only.
"""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import orjson

__all__ = ["MAX_ERRORS", "Shape", "is_small"]

MAX_ERRORS = 20
"""How many faults an answer names."""

_MAX_MESSAGE = 300
_SMALL = 1_000
_EXPLAINED = 50_000
"""Parts of a value: jsonschema_rs copies one of more than these for too long to name a fault."""
_PATTERNS = jsonschema_rs.RegexOptions(size_limit=256 * 1024)
"""Matching takes linear time. Patterns that need more are left to the worker."""

_ONE = (
    *("additionalItems", "additionalProperties", "contains", "else", "if", "items", "not"),
    *("propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"),
)
_SEVERAL = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_NAMED = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")
_OPAQUE = "x-opaque"


class Shape:
    """A JSON Schema; raise ``ValueError`` or ``ReferencingError`` for one that cannot be used."""

    def __init__(self, schema: Any) -> None:
        self._schema = _mapped(schema, _matchable)
        self._validator = _compiled(self._schema)
        self._closed = b'"unevaluated' in orjson.dumps(self._schema)
        self._explaining: dict[bool, jsonschema_rs.Validator] = {}

    def fits(self, value: Any) -> bool:
        """Return whether a value fits; this stops at the first fault."""
        return self._validator.is_valid(value)

    def errors(self, value: Any, prefix: str = "") -> list[dict[str, str]]:
        """Point at the first places where a value does not fit, at one if the value is large."""
        found: list[dict[str, str]] = []
        try:
            # what an opaque union evaluates is not known
            if self._closed or not is_small(value, _EXPLAINED):
                pass
            elif is_small(value):
                for error in self._explained(masked=False).iter_errors(value):
                    found.append(_place(error, prefix))
                    if len(found) == MAX_ERRORS:
                        break
            else:
                self._explained(masked=True).validate(value)
        except jsonschema_rs.ValidationError as error:
            found.append(_place(error, prefix))
        except (ValueError, jsonschema_rs.ReferencingError):
            pass  # a reference leads into a union
        return found or [{"pointer": prefix, "message": "this does not fit the schema"}]

    def _explained(self, *, masked: bool) -> jsonschema_rs.Validator:
        """Return the validator that explains; ``masked``: its messages do not hold the value."""
        if masked not in self._explaining:
            schema = _mapped(self._schema, _opaque)
            options = {"mask": "the value"} if masked else {}
            self._explaining[masked] = _compiled(schema, **options)
        return self._explaining[masked]


def is_small(value: Any, limit: int = _SMALL) -> bool:
    """Return whether a JSON value holds so few values that each may be looked at."""
    seen, left = 0, [value]
    while left:
        item = left.pop()
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        seen += 1
        if seen + len(left) + len(inner) > limit:
            return False
        left += inner
    return True


def _compiled(schema: Any, **options: Any) -> jsonschema_rs.Validator:
    # offline: a schema that points elsewhere makes no request
    return jsonschema_rs.validator_for(schema, offline=True, pattern_options=_PATTERNS, **options)


def _mapped(schema: Any, change: Any) -> Any:
    """Return a schema with every schema in it changed."""
    if not isinstance(schema, dict):
        return schema
    made = dict(schema)
    for name in _ONE:
        if isinstance(made.get(name), dict):
            made[name] = _mapped(made[name], change)
    for name in _SEVERAL:
        if isinstance(made.get(name), list):
            made[name] = [_mapped(one, change) for one in made[name]]
    for name in _NAMED:
        if isinstance(made.get(name), dict):
            made[name] = {key: _mapped(one, change) for key, one in made[name].items()}
    return change(made)


def _matchable(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out patterns that cannot be matched in linear time."""
    if "pattern" in schema and not _is_matchable(schema["pattern"]):
        schema = {name: value for name, value in schema.items() if name != "pattern"}
    named = schema.get("patternProperties")
    if isinstance(named, dict) and not all(map(_is_matchable, named)):
        # which properties are additional is unknown then
        unknown = ("patternProperties", "additionalProperties", "unevaluatedProperties")
        schema = {name: value for name, value in schema.items() if name not in unknown}
    return schema


def _is_matchable(pattern: Any) -> bool:
    try:
        _compiled({"pattern": pattern})
    except (ValueError, jsonschema_rs.ReferencingError):
        return not isinstance(pattern, str)  # the schema is wrong, and is refused as a whole
    return True


def _opaque(schema: dict[str, Any]) -> dict[str, Any]:
    """Make unions opaque: a value fits or not, and nothing is said of the branches."""
    closed = []
    for name in ("anyOf", "oneOf"):
        branches = schema.get(name)
        if not isinstance(branches, list):
            continue
        others = [one for one in branches if one != {"type": "null"}]
        if len(others) == 1 and len(branches) == 2:
            # what may also be null: its other branch is no choice, and faults point into it
            closed.append({"if": {"type": "null"}, "else": others[0]})
        else:
            closed.append({"not": {"not": {name: branches}, "$comment": _OPAQUE}})
    if not closed:
        return schema
    kept = {name: value for name, value in schema.items() if name not in ("anyOf", "oneOf")}
    return {**kept, "allOf": [*kept.get("allOf", []), *closed]}


def _place(error: jsonschema_rs.ValidationError, prefix: str) -> dict[str, str]:
    pointer = "".join(
        "/" + str(part).replace("~", "~0").replace("/", "~1") for part in error.instance_path
    )
    message = error.message
    if _OPAQUE in message:
        text = orjson.dumps(error.instance, default=str)
        shown = text.decode() if len(text) <= _MAX_MESSAGE // 3 else "the value"
        message = f"{shown} is none of what is allowed here"
    return {
        "pointer": prefix + pointer,
        "message": message if len(message) <= _MAX_MESSAGE else message[:_MAX_MESSAGE] + "…",
    }
