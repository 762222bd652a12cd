"""What holds for every operation of the document."""

import re
from contextlib import nullcontext
from typing import Any

import httpx
import pytest
from pgqueue_api.app import Api, document
from pgqueue_api.http.sites import Sites
from pgqueue_api.problems import HostNotAllowed
from pgqueue_api.server import Server

from pgqueue.settings import Settings
from tests.api.conftest import submit
from tests.api.worker import Worker

ID = "019b2f6e-8a3c-7d12-8000-0a1b2c3d4e5f"


def _id(path: str) -> str:
    return "1" if path.startswith("/v1/users/") else ID


OPERATIONS = [
    (method.upper(), re.sub(r"\{(\w*id)\}", _id(path), path).replace("{source}", "x"))
    for path, item in document()["paths"].items()
    for method in item
]
READS = [path for method, path in OPERATIONS if method == "GET"]
CHANGES = [(method, path) for method, path in OPERATIONS if method != "GET"]
ANYWHERE = "https://elsewhere.example"


def named(path: str) -> str:
    return re.sub(r"\{\w+\}", "x", path)


async def status(client: httpx.AsyncClient, method: str, path: str, **headers: str) -> int:
    return (await client.request(method, named(path), headers=headers)).status_code


async def test_every_path_that_can_be_read_has_head(client: httpx.AsyncClient):
    for path in [*READS, "/", "/favicon.ico", "/docs/docs.css"]:
        if path in ("/v1/events", "/metrics", "/v1/stats"):
            continue  # a stream, and those that change from one read to the next
        got = await client.get(named(path))
        head = await client.head(named(path))
        assert head.content == b"", path
        assert head.status_code == got.status_code, path
        assert head.headers.get("content-length") == got.headers.get("content-length"), path
        assert head.headers["content-type"] == got.headers["content-type"], path
    assert (await client.head("/metrics")).status_code == 200
    assert (await client.head("/v1/tasks/bulk")).status_code == 405


async def test_the_head_of_a_stream_ends(http: httpx.AsyncClient):
    id = (await submit(http))["id"]
    for path in ("/v1/events", f"/v1/tasks/{id}/events"):
        head = await http.head(path)
        assert (head.status_code, head.headers["content-type"][:17]) == (200, "text/event-stream")
    assert (await http.get("/healthz")).json() == {"status": "alive"}


async def test_no_content_type_names_its_charset_twice(client: httpx.AsyncClient):
    for path in [*READS, "/favicon.ico", "/docs/docs.css", "/docs/docs.js"]:
        if path != "/v1/events":
            kind = (await client.get(named(path))).headers["content-type"]
            assert kind.count("charset") <= 1, path


async def test_a_parameter_that_an_operation_does_not_have_is_refused(client: httpx.AsyncClient):
    for method, path in OPERATIONS:
        answer = await client.request(method, named(path), params={"colour": "red"})
        if path in ("/v1/hooks/x", "/v1/session/oidc/callback"):  # who sends them chooses them
            assert answer.status_code != 422 or "colour" not in answer.text
            continue
        assert answer.status_code == 422, (method, path)
        assert answer.json()["errors"][0]["parameter"] == "colour", (method, path)
    answer = await client.get("/v1/tasks?state=failed")
    assert "cursor, from, limit" in answer.json()["hint"]


async def test_a_page_of_another_site_changes_nothing(client: httpx.AsyncClient):
    for method, path in CHANGES:
        for headers in (
            {"origin": ANYWHERE},
            {"origin": "null"},
            {"origin": "http://api:3000"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
        ):
            answer = await client.request(method, named(path), headers=headers)
            assert answer.status_code == 403, (method, path, headers)
            assert answer.json()["code"] == "origin_not_allowed"
            assert "PGQUEUE_API_ALLOWED_ORIGINS" in answer.json()["hint"]


async def test_own_pages_programs_and_allowed_origins_may_change_things(
    client: httpx.AsyncClient, app: Api, database: str
):
    settings = Settings(database_url=database, api_allowed_origins=f"http://a, {ANYWHERE}")
    app.services.sites = Sites.of(settings)
    for method, path in CHANGES:
        for headers in (
            {},
            {"origin": "http://api", "sec-fetch-site": "same-origin"},
            {"sec-fetch-site": "none"},
            {"origin": ANYWHERE, "sec-fetch-site": "cross-site"},
        ):
            assert await status(client, method, path, **headers) != 403, (method, path, headers)


async def test_a_page_of_another_site_may_follow_a_link(client: httpx.AsyncClient):
    headers = {"sec-fetch-site": "cross-site"}
    assert (await client.get("/docs", headers=headers)).status_code == 200


async def test_a_server_on_loopback_answers_to_no_other_name(client: httpx.AsyncClient, app: Api):
    app.services.listen_on("127.0.0.1")
    for method, path in OPERATIONS:
        answer = await client.request(method, named(path), headers={"host": "rebound.example:80"})
        assert (answer.status_code, answer.json()["code"]) == (421, "host_not_allowed"), path
        assert "PGQUEUE_API_ALLOWED_HOSTS" in answer.json()["hint"]
    for host in ("localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000"):
        assert (await client.get("/healthz", headers={"host": host})).status_code == 200, host


@pytest.mark.parametrize(
    ("address", "setting", "host", "allowed"),
    [
        ("127.0.0.2", "", "127.0.0.2:80", True),
        ("127.0.0.2", "", "127.0.0.3", False),
        ("::1", "", "[::1]:8000", True),
        ("localhost", "", "localhost.example", False),
        ("127.0.0.1", "queue.example, b", "Queue.example", True),
        ("127.0.0.1", "queue.example", "localhost", True),
        ("127.0.0.1", "*", "any.example", True),
        ("0.0.0.0", "", "any.example", True),
        ("0.0.0.0", "queue.example", "queue.example:8000", True),
        ("0.0.0.0", "queue.example", "any.example", False),
    ],
)
def test_which_names_a_server_answers_to(address: str, setting: str, host: str, allowed: bool):
    sites = Sites.of(Settings(api_allowed_hosts=setting), address)
    with nullcontext() if allowed else pytest.raises(HostNotAllowed):
        sites.check("GET", {b"host": host.encode()})


async def test_a_server_that_listens_on_this_machine_keeps_to_its_names(served: Server):
    async with httpx.AsyncClient(base_url=served.url) as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/healthz", headers={"host": "a.example"})).status_code == 421


async def test_names_with_slashes_are_found(client: httpx.AsyncClient, worker: Worker):
    for call in (
        "pgqueue.set_queue('reports/daily é', ageing_s => 60)",
        "pgqueue.set_limit('a/b', 3)",
        "pgqueue.enqueue('noop', queue => 'reports/daily é')",
    ):
        worker.value(f"select {call}")
    queue = "/v1/queues/reports%2Fdaily%20%C3%A9"
    assert (await client.get(queue)).json()["ageing_s"] == 60
    assert (await client.patch(queue, json={"ageing_s": 9})).json()["ageing_s"] == 9
    assert (await client.post(queue + "/pause")).json()["name"] == "reports/daily é"
    assert (await client.put(queue, json={})).json()["ageing_s"] is None
    assert (await client.get(queue + "/scale")).status_code == 200
    assert (await client.get("/v1/limits/a%2fb")).json()["name"] == "a/b"
    assert (await client.put("/v1/limits/a%2Fb", json={"concurrency": 4})).status_code == 200
    assert (await client.delete("/v1/limits/a%2Fb")).status_code == 204
    for path in ("/v1/queues/a/b", "/v1/queues/a%252Fb", "/v1/schedules/a%2Fb", "/v1/limits/a%2Fb"):
        assert (await client.get(path)).status_code == 404, path


async def test_the_start_leads_to_the_dashboard_and_there_is_an_icon(client: httpx.AsyncClient):
    start = await client.get("/")
    assert (start.status_code, start.headers["location"]) == (302, "ui")
    icon = await client.get("/favicon.ico")
    assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml")


def test_no_answer_asks_for_if_match() -> None:
    text: Any = str(document())
    assert "428" not in text
    assert "precondition_required" not in text
