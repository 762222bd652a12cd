"""However wrong a body is, the work of saying so is bounded: by what is looked at, not by time."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from pgqueue_api.app import ROUTES
from pgqueue_api.http import typed_body
from pgqueue_api.http.bodies import parsed
from pgqueue_api.http.shapes import MAX_ERRORS, Shape
from pgqueue_api.http.typed_body import validate
from pgqueue_api.model_schemas import schema_of
from pgqueue_api.openapi.operation import declaration_of
from pgqueue_api.problems import Invalid, InvalidJson
from pgqueue_api.submit.submission import check_shape
from pydantic import BaseModel, ValidationError

from pgqueue.models.tasks.task import TaskInput

MANY = 3_000
MOST_FAULTS = 100


def models() -> dict[str, type[BaseModel]]:
    """All models of bodies: of signatures, and of those that handlers read by themselves."""
    found: dict[str, type[BaseModel]] = {}
    for route in ROUTES:
        declared = declaration_of(route)
        for one in ((declared and declared.body) or {}).values():
            if isinstance(one, type):
                found[one.__name__] = one
        data = route.parsed_fn_signature.parameters.get("data")
        if data is not None:
            for one in [data.annotation, *(inner.annotation for inner in data.inner_types)]:
                if isinstance(one, type) and issubclass(one, BaseModel):
                    found[one.__name__] = one
    return found


def bad_bodies(schema: dict[str, Any]) -> Iterator[Any]:
    """Bodies in which a great many things are wrong, at each place of a schema's first levels."""
    yield [{}] * MANY
    yield {f"k{n}": n for n in range(MANY)}
    deep: Any = 1
    for _ in range(60):
        deep = {"a": deep}
    yield deep
    definitions = schema.get("$defs", {})
    for path in properties(schema, definitions, 1):
        for wrong in ([{}] * MANY, {f"k{n}": [] for n in range(MANY)}):
            body: Any = wrong
            for name in reversed(path):
                body = [body] if name is None else {name: body}
            yield body


def properties(
    schema: dict[str, Any], definitions: dict[str, Any], depth: int
) -> Iterator[list[str | None]]:
    """Yield the paths to the properties of a schema; None stands for an item of a list."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    for name, inner in schema.get("properties", {}).items():
        yield [name]
        if depth:
            yield from ([name, *rest] for rest in properties(inner, definitions, depth - 1))
    if isinstance(schema.get("items"), dict) and depth:
        yield from ([None, *rest] for rest in properties(schema["items"], definitions, depth - 1))
    for inner in [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
        yield from properties(inner, definitions, depth)


@pytest.fixture
def gathered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many faults each model gathered before any was told."""
    counts: list[int] = []

    def counted(error: ValidationError, *arguments: Any) -> list[dict[str, str]]:
        counts.append(error.error_count())
        return places_in(error, *arguments)

    places_in = typed_body.places_in
    monkeypatch.setattr(typed_body, "places_in", counted)
    monkeypatch.setattr("pgqueue_api.submit.submission.places_in", counted)
    return counts


def refusal(model: type[BaseModel], value: Any) -> Any:
    try:
        if model is TaskInput:
            check_shape(value)
        else:
            validate(model, orjson.dumps(value), value)
    except Invalid as error:
        return error.errors
    return ()


@pytest.mark.parametrize("name", sorted(models()))
def test_no_body_makes_a_model_gather_more_faults_than_a_small_one_has(
    name: str, gathered: list[int]
):
    model, refused = models()[name], 0
    for value in bad_bodies(schema_of(model)):
        faults = refusal(model, value)
        refused += bool(faults)
        assert len(faults) <= MAX_ERRORS
        assert len(orjson.dumps(faults)) < 10_000
    assert refused > 3
    assert max(gathered, default=0) <= MOST_FAULTS


NESTED = {"$ref": "#/$defs/nested"}
LISTS = [{"type": "array", "items": {"type": one}} for one in ("string", "boolean", "null")]


def nested(keyword: str) -> dict[str, Any]:
    lists = [{"type": "array", "items": NESTED, "maxItems": n} for n in (7, 8, 9)]
    return {"$defs": {"nested": {keyword: [{"type": "string"}, *lists]}}, **NESTED}


def in_lists(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"anyOf": LISTS}, [1] * MANY),
        ({"oneOf": LISTS}, [1] * MANY),
        ({"allOf": [{"anyOf": LISTS}] * 10}, [1] * MANY),
        ({"items": {"anyOf": LISTS}}, [[1] * 50] * 500),
        # each level tries three branches: 3^60 faults, if they were gathered
        (nested("anyOf"), in_lists(1, 60)),
        (nested("oneOf"), in_lists(1, 60)),
        ({"patternProperties": {"^a": {}}, "additionalProperties": False}, {"b": 1}),
        ({"additionalProperties": False}, {f"k{n}": n for n in range(MANY)}),
        ({"unevaluatedProperties": False, "anyOf": LISTS}, {f"k{n}": n for n in range(MANY)}),
        ({"items": {"pattern": "^(a+)+$"}}, ["a" * 60 + "b"] * MANY),
    ],
)
def test_a_schema_of_any_kind_names_few_faults(schema: dict[str, Any], value: Any):
    shape = Shape(schema)
    assert not shape.fits(value)
    errors = shape.errors(value)
    assert 1 <= len(errors) <= MAX_ERRORS
    assert all(len(one["message"]) <= 301 for one in errors)


def test_a_fault_of_what_may_be_null_is_pointed_at():
    shape = Shape(
        {"properties": {"to": {"anyOf": [{"items": {"type": "string"}}, {"type": "null"}]}}}
    )
    assert shape.errors({"to": ["a", 5]}) == [
        {"pointer": "/to/1", "message": '5 is not of type "string"'}
    ]


def test_where_a_fault_is_among_very_many_parts_is_not_looked_for():
    shape = Shape({"items": {"type": "string"}})
    few, many = [[1] * n for n in (40_000, 60_000)]
    assert shape.errors(few)[0]["pointer"] == "/0"
    assert shape.errors(many) == [{"pointer": "", "message": "this does not fit the schema"}]


def test_a_pattern_that_takes_more_than_linear_time_is_left_to_the_worker():
    schema = {"properties": {"a": {"pattern": "^(?=a)(a+)+$", "type": "string", "maxLength": 100}}}
    shape = Shape(schema)
    assert shape.fits({"a": "a" * 60 + "b"})
    assert not shape.fits({"a": 5})


async def test_a_body_of_too_many_parts_is_refused_before_it_is_parsed():
    with pytest.raises(InvalidJson, match="braces"):
        await parsed(b"[" + b"{}," * 1_300_000 + b"{}]", 64)
