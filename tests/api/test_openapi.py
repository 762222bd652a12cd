"""The OpenAPI document: complete, and true."""

import re
from pathlib import Path

import httpx
import hypothesis
import jsonschema_rs
import pgqueue_api
import pytest
import schemathesis
from litestar.routes import HTTPRoute
from pgqueue_api.openapi import document
from pgqueue_api.problems import PROBLEM_CODES
from pgqueue_api.server import Server
from schemathesis.checks import CHECKS

from tests.api.worker import Worker

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
        if method not in ("OPTIONS", "HEAD")
    }
    described = {(path, method) for path, item in DOCUMENT["paths"].items() for method in item}
    assert served - {("/docs/docs.css", "get"), ("/docs/docs.js", "get")} == described


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


CHECKED = [
    check
    for check in CHECKS.get_all()
    if check.__name__
    in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "response_headers_conformance",
        "unsupported_method",
    )
]


@pytest.fixture
def known(served: Server, worker: Worker) -> dict[str, str]:
    """A task with everything below it, and a schedule, for calls that need one."""
    id = worker.enqueue()
    worker.claim()
    worker.log(id, "a line")
    worker.save_checkpoint(id, "fetch", '{"rows": 3}')
    worker.save_artifact(id, "report.pdf", b"%PDF", "application/pdf")
    worker.finish(id)
    worker.connection.execute("select pgqueue.set_schedule('known', 'noop', cron => '0 * * * *')")
    return {"id": id, "name": "report.pdf", "schedule": "known"}


SKIPPED_STREAMS = ("/v1/events", "/v1/tasks/{id}/events", "/v1/operations/{id}/events")


@pytest.mark.timeout(300)
async def test_no_call_that_schemathesis_can_think_of_breaks_the_api(
    served: Server, known: dict[str, str]
):
    from anyio import to_thread

    schema = schemathesis.openapi.from_dict(DOCUMENT)
    schema.config.base_url = served.url
    calls = 0

    def run(operation: schemathesis.APIOperation) -> None:
        nonlocal calls

        @hypothesis.given(case=operation.as_strategy())
        @hypothesis.settings(
            max_examples=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        def test(case: schemathesis.Case) -> None:
            nonlocal calls
            calls += 1
            if "id" in case.path_parameters and calls % 2:
                case.path_parameters["id"] = known["id"]
            if "schedule" in case.path_parameters and calls % 2:
                case.path_parameters["schedule"] = known["schedule"]
            if case.headers is not None:
                case.headers.pop("Prefer", None)
            case.call_and_validate(checks=CHECKED, timeout=20)

        test()

    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path not in SKIPPED_STREAMS:
            await to_thread.run_sync(run, operation)
    assert calls > 200
