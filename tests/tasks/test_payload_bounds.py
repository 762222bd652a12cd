"""Refusing a payload costs little, whatever is in it: the errors that are gathered are its work."""

import json

import pgqueue_tasks
import pytest
from pydantic import ValidationError

from pgqueue import PgQueue

BYTES = 16_000  # of a payload, enough for thousands of errors
MAX_ERRORS = 100  # 20 are shown
APP = PgQueue()
pgqueue_tasks.register(APP)
TYPES = {kind.handler: name for name, kind in reversed(APP.types.items())}.values()


def filled(item, opening="[", closing="]"):
    return opening + ",".join([item] * (BYTES // (len(item) + 1))) + closing


MANY_KEYS = "{" + ",".join(f'"k{n}":[]' for n in range(BYTES // 12)) + "}"
ROWS = filled("[" + ",".join(["{}"] * 12) + "]")
LARGE = [filled("{}"), filled("1"), ROWS, MANY_KEYS, "[" + MANY_KEYS + "]", "[" * 5_000]
SMALL = ["{}", "[]", "1"]


def places(schema, root, before="", after=""):
    """What stands before and after each place where the schema says what may be there."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    yield before, after
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if "required" not in branch or "type" in branch:
            yield from places(branch, root, before, after)
    constants = {
        name: one["const"] for name, one in schema.get("properties", {}).items() if "const" in one
    }
    for name, part in schema.get("properties", {}).items():
        given = json.dumps(constants | {name: 0})[:-2]
        yield from places(part, root, before + given, "}" + after)
    if "items" in schema:
        yield from places(schema["items"], root, before + "[", "]" + after)
    if isinstance(part := schema.get("additionalProperties"), dict):
        yield from places(part, root, before + '{"k":', "}" + after)


def bad_payloads(schema):
    for before, after in dict.fromkeys(places(schema, schema)):
        yield from (before + value + after for value in LARGE)
        for at in (at for at, character in enumerate(before) if character == "["):
            inner = before[at + 1 :]
            close = closing(inner)
            for value in SMALL:  # the same in each item of one list
                yield before[:at] + filled(inner + value + close) + after[len(close) + 1 :]


def closing(opened):
    return "".join({"[": "]", "{": "}"}[c] for c in reversed(opened) if c in "[{")


@pytest.mark.parametrize("name", TYPES)
def test_no_payload_has_more_than_a_few_errors(name):
    adapter = APP.types[name].payload
    most = 0
    for text in bad_payloads(APP.types[name].published()["payload_schema"]):
        try:
            adapter.validate_json(text)
        except ValidationError as refused:
            most = max(most, refused.error_count())
    assert 1 <= most <= MAX_ERRORS
