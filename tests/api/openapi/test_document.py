"""The OpenAPI document: complete, and true."""

import re
from pathlib import Path

import httpx
import jsonschema_rs
import pgqueue_api
import pytest
from litestar.routes import HTTPRoute
from pgqueue_api.app import document
from pgqueue_api.problems import PROBLEM_CODES

DOCUMENT = document()


def test_every_route_is_described_and_nothing_else(database: str):
    from pgqueue_api.app import create_app

    from pgqueue.settings import Settings

    app = create_app(Settings(database_url=database))
    served = {
        (re.sub(r":\w+}", "}", route.path), method.lower())
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
        if method not in ("OPTIONS", "HEAD") and not route.path.startswith("/ui")
    }
    described = {(path, method) for path, item in DOCUMENT["paths"].items() for method in item}
    files = {(path, "get") for path in ("/", "/favicon.ico", "/docs/docs.css", "/docs/docs.js")}
    assert served - files == described


def test_every_reference_leads_somewhere_and_every_example_fits_its_schema():
    names = set(DOCUMENT["components"]["schemas"])
    assert set(re.findall(r"#/components/schemas/(\w+)", str(DOCUMENT))) <= names
    for name in names:
        schema = {**DOCUMENT, "$ref": f"#/components/schemas/{name}"}
        validator = jsonschema_rs.validator_for(
            {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
        )
        for example in DOCUMENT["components"]["schemas"][name].get("examples", []):
            validator.validate(example)
        assert schema


def test_every_problem_code_is_explained_on_the_docs_page():
    source = "".join(file.read_text() for file in Path(pgqueue_api.__file__).parent.rglob("*.py"))
    for code in re.findall(r'^    code = "(\w+)"', source, re.MULTILINE):
        assert code in PROBLEM_CODES


async def test_the_document_and_its_page_are_served_and_load_nothing_from_elsewhere(
    client: httpx.AsyncClient,
):
    answer = await client.get("/openapi.json")
    assert answer.json()["openapi"].startswith("3.1")
    for path in ("/docs", "/docs/docs.css", "/docs/docs.js"):
        page = await client.get(path)
        assert page.status_code == 200
        assert not re.findall(r"https?://|@import|innerHTML|onclick=", page.text)


def test_every_link_leads_to_an_operation_and_gives_parameters_that_it_takes():
    operations = {
        operation["operationId"]: operation
        for path in DOCUMENT["paths"].values()
        for operation in path.values()
    }
    led_to = set()
    for operation in operations.values():
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                taken = {one["name"] for one in operations[link["operationId"]]["parameters"]}
                assert set(link["parameters"]) <= taken
                led_to.add(link["operationId"])
    of_things = {name for name, one in operations.items() if "{" in _path_of(one)}
    assert of_things - led_to == NAMED_FREELY


NAMED_FREELY = {"receive_hook", "patch_dead_letter_policy", "reset_dead_letter_policy"}
"""Operations with a name in their path that the client gives."""


def _path_of(operation: dict) -> str:
    return next(path for path, item in DOCUMENT["paths"].items() if operation in item.values())


@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/queues/mail", "/v1/artifacts/" + "0" * 32])
async def test_options_names_every_method_of_a_path(client: httpx.AsyncClient, path: str):
    allowed = (await client.options(path)).headers["allow"]
    assert allowed == {
        "/v1/tasks": "GET, HEAD, OPTIONS, POST",
        "/v1/queues/mail": "GET, HEAD, OPTIONS, PATCH, PUT",
    }.get(path, "DELETE, GET, HEAD, OPTIONS")


def test_every_operation_and_every_parameter_is_described():
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert not operation["summary"].endswith("."), where
            assert all(parameter["description"] for parameter in operation.get("parameters", ()))
            assert all(answer.get("description", "…") for answer in operation["responses"].values())
            assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}, where


def test_a_body_says_what_validates_it():
    limit = DOCUMENT["components"]["schemas"]["LimitSettings"]
    assert limit["additionalProperties"] is False
    assert limit["properties"]["concurrency"] == {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 1_000_000,
        "description": "How many tasks run at once, over all workers; null: no limit.",
    }
    statuses = DOCUMENT["paths"]["/v1/limits/{name}"]["put"]["responses"]
    assert [*statuses] == [
        *("200", "201", "401", "403", "412", "413", "415", "421", "422", "503"),
    ]
