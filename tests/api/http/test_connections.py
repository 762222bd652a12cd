"""Clients that are slow, say too much or take nothing cost a socket for a while, and no more."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx
import orjson
import pytest
from pgqueue_api.bounds import Bounds
from pgqueue_api.server import Server

from tests.api.conftest import submit
from tests.api.worker import Worker

QUICK = Bounds(poll_s=0.1, head=4096, body_s=0.3, stalled_s=0.3)
IMPATIENT = replace(QUICK, head_s=0.3)
HEADERS = {
    "strict-transport-security": "max-age=31536000",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "content-security-policy": (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
}

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@pytest.fixture
def limits() -> Bounds:
    return QUICK


@pytest.fixture
def impatient(served: Server) -> None:
    """Wait for heads no longer than a moment."""
    served.config.http_protocol_class.bounds = IMPATIENT


@pytest.fixture
def connect_socket(served: Server) -> Connect:
    url = httpx.URL(served.url)
    return lambda: asyncio.open_connection(url.host, url.port)


def parsed(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    return int(line.split(" ")[1]), dict(field.lower().split(": ", 1) for field in fields), body


def assert_problem(answer: bytes, status: int, code: str) -> None:
    found, headers, body = parsed(answer)
    assert found == status
    assert headers["content-type"] == "application/problem+json"
    assert orjson.loads(body)["code"] == code
    for name, value in HEADERS.items():
        assert headers[name] == value.lower()


async def gone(served: Server) -> None:
    """Wait until the server has let go of every connection."""
    async with asyncio.timeout(45):
        while served.server_state.connections:
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("impatient")
async def test_a_head_that_does_not_come_in_time_is_408(served: Server, connect_socket: Connect):
    for head in (b"", b"GET", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: "):
        reader, writer = await connect_socket()
        writer.write(head)
        assert_problem(await reader.read(), 408, "head_late")
        writer.close()
    await gone(served)


@pytest.mark.usefixtures("impatient")
async def test_a_second_head_that_does_not_come_in_time_is_408(connect_socket: Connect):
    reader, writer = await connect_socket()
    request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    writer.write(request + request[:10])
    first = await reader.readuntil(b'{"status":"alive"}')
    assert parsed(first)[0] == 200
    assert_problem(await reader.read(), 408, "head_late")
    writer.close()


async def test_a_head_without_end_is_431(served: Server, connect_socket: Connect):
    for part in (b"x: y\r\n", b"x"):  # many fields, one long field
        reader, writer = await connect_socket()
        writer.write(b"GET /healthz HTTP/1.1\r\n" + part * 5000)
        assert_problem(await reader.read(), 431, "head_too_large")
        writer.close()
    await gone(served)


async def test_a_body_that_does_not_come_in_time_is_422_and_the_connection_ends(
    served: Server, connect_socket: Connect
):
    reader, writer = await connect_socket()
    head = b"POST /v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    writer.write(head + b"content-length: 1000\r\n\r\n{")
    assert b'"code":"json_invalid"' in await reader.readuntil(b"}")
    await gone(served)
    writer.close()


async def test_a_body_that_nobody_asked_for_ends_or_its_connection_does(
    served: Server, connect_socket: Connect
):
    reader, writer = await connect_socket()
    writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000000\r\n\r\nx")
    assert parsed(await reader.readuntil(b'{"status":"alive"}'))[0] == 200
    while served.server_state.connections:  # a byte now and then keeps nothing alive
        writer.write(b"x")
        await asyncio.sleep(0.01)
    writer.close()


async def test_a_client_that_takes_nothing_is_cut(served: Server, connect_socket: Connect):
    _, writer = await connect_socket()
    writer.transport.pause_reading()
    request = b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n"
    writer.write(request * 500)  # answers of some 100 MB: no kernel holds so much of them
    await gone(served)
    writer.close()


async def test_a_client_that_takes_little_at_a_time_is_served(
    served: Server, connect_socket: Connect
):
    served.config.http_protocol_class.bounds = replace(QUICK, stalled_s=2)
    reader, writer = await connect_socket()
    request = b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n"
    writer.write(request * 20 + b"GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n")
    taken = b""
    while piece := await reader.read(262_144):
        taken = (taken + piece)[-1000:]
        await asyncio.sleep(0.15)
    assert taken.endswith(b'{"status":"alive"}')
    writer.close()


NOT_HTTP = [
    b"\x00\x01\x02\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"G\xc3\x89T / HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET /v1/queues/\xff HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: localhost\r\nx\x00: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n",
    b"POST /v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    b"POST /v1/tasks HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
]


async def test_what_is_not_http_is_400_as_a_problem(connect_socket: Connect):
    for request in NOT_HTTP:
        reader, writer = await connect_socket()
        writer.write(request)
        answer = await reader.read()
        if answer:  # else it was being answered already, and ended
            assert_problem(answer, 400, "bad_request")
        writer.close()


ODD = [
    *("/v1/queues/%00", "/v1/queues/%ff", "/v1/queues/%c0%af", "/v1/queues/%ed%a0%80"),
    *("/v1/queues/%2e%2e%2f", "/v1/queues/" + "a" * 3000, "/v1/types/%00", "/v1/types/%0a"),
    *("/v1/schedules/%00", "/v1/limits/%00", "/v1/tasks/%00", "/%00", "//", "/v1/../v1/tasks/"),
    *(
        "/v1/tasks?queue=%00",
        "/v1/tasks?queue=%ff",
        "/v1/tasks?cursor=%00",
        "/v1/tasks?%00=%00",
    ),
    *("/v1/tasks?limit=%D9%A3", "/v1/tasks?limit=1e9", "/v1/tasks?from=%00", "/v1/tasks?&&=&"),
    *("/v1/dead-letters?cursor=%D9%A3.%00", "/v1/notices?cursor=%D9%A3"),
    "/v1/tasks/00000000-0000-0000-0000-000000000000/artifacts/%00",
    "/v1/tasks/00000000-0000-0000-0000-000000000000/artifacts/%e6%97%a5",
]


async def test_a_path_or_query_of_odd_characters_never_breaks_anything(connect_socket: Connect):
    for path in ODD:
        reader, writer = await connect_socket()
        writer.write(
            b"GET %s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n" % path.encode()
        )
        status, headers, body = parsed(await reader.read())
        assert status in (200, 302, 404, 405, 422), path
        if status >= 400:
            assert headers["content-type"] == "application/problem+json", path
            assert orjson.loads(body)["status"] == status, path
        writer.close()


async def test_a_method_that_a_path_does_not_know_is_405_and_names_those_it_knows(
    http: httpx.AsyncClient,
):
    for method in ("TRACE", "PROPFIND", "PUT", "QUERY"):
        answer = await http.request(method, "/v1/tasks")
        assert answer.status_code in (400, 405), method  # some are unknown to the parser
        if answer.status_code == 405:
            assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


BODIES = [
    ({"content-type": "text/plain"}, 415),
    ({"content-type": "application/x-www-form-urlencoded"}, 415),
    ({"content-type": "multipart/form-data; boundary=x"}, 415),
    ({"content-type": ""}, 415),
    ({"content-type": "application/json; charset=utf-16"}, 422),
    ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
    ({"content-type": "application/json", "content-encoding": "identity"}, 201),
    ({"content-type": "application/json", "accept": "text/html"}, 201),
    ({"content-type": "application/json", "accept": "\xff/;q=x"}, 201),
    ({"content-type": "application/problem+json"}, 201),
]


async def test_a_body_is_json_in_utf_8_and_nothing_else(http: httpx.AsyncClient):
    for headers, status in BODIES:
        text = '{"type": "noop"}'
        content = text.encode("utf-16" if "utf-16" in headers["content-type"] else "utf-8")
        encoded = {name: value.encode("latin-1") for name, value in headers.items()}
        answer = await http.post("/v1/tasks", content=content, headers=encoded)
        assert answer.status_code == status, (headers, answer.text)


async def test_every_answer_has_the_headers_that_keep_browsers_from_more(http: httpx.AsyncClient):
    task = await submit(http)
    for method, path in (
        *(("GET", "/healthz"), ("GET", "/nothing"), ("PUT", "/v1/tasks"), ("OPTIONS", "/v1/tasks")),
        *(("POST", "/v1/tasks"), ("GET", "/v1/tasks?limit=x"), ("GET", f"/v1/tasks/{task['id']}")),
    ):
        answer = await http.request(method, path)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path


async def closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def test_the_connection_that_is_idle_longest_makes_room(
    served: Server, connect_socket: Connect, http: httpx.AsyncClient
):
    served.config.http_protocol_class.bounds = replace(QUICK, connections=3)
    sockets = []
    for n in range(1, 4):
        sockets.append(await connect_socket())
        async with asyncio.timeout(45):
            while len(served.server_state.connections) < n:
                await asyncio.sleep(0.01)
    for _ in range(5):
        assert (await http.get("/healthz")).status_code == 200
    assert await closed(sockets[0][0])
    sockets[2][1].write(b"GET /healthz HTTP/1.1\r\n\r\n")
    assert b" 200 " in await sockets[2][0].readline()
    for _, writer in sockets:
        writer.close()


async def test_where_all_connections_are_used_the_next_one_is_told_so(
    served: Server, connect_socket: Connect, http: httpx.AsyncClient
):
    served.config.http_protocol_class.bounds = replace(QUICK, connections=2)
    async with http.stream("GET", "/v1/events"), http.stream("GET", "/v1/events"):
        reader, writer = await connect_socket()
        answer = await reader.read()
        assert_problem(answer, 503, "overloaded")
        assert "retry-after" in parsed(answer)[1]
        writer.close()
    async with asyncio.timeout(45):
        while len(served.server_state.connections) > 1:
            await asyncio.sleep(0.01)
    assert (await http.get("/healthz")).status_code == 200


async def test_those_who_read_slowest_are_cut_when_too_much_is_unread(
    served: Server, connect_socket: Connect, http: httpx.AsyncClient
):
    served.config.http_protocol_class.bounds = replace(QUICK, stalled_s=45, unread=100_000)
    request = b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n"
    writers = []
    for _ in range(3):
        _, writer = await connect_socket()
        writer.transport.pause_reading()
        writer.write(request * 500)
        writers.append(writer)
    await gone(served)
    assert not served.config.http_protocol_class.unread
    assert (await http.get("/healthz")).status_code == 200
    for writer in writers:
        writer.close()


async def test_a_file_is_read_no_faster_than_its_client_takes_it(
    served: Server,
    connect_socket: Connect,
    http: httpx.AsyncClient,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
):
    served.config.http_protocol_class.bounds = replace(QUICK, stalled_s=45)
    id = worker.enqueue()
    worker.claim()
    worker.save_artifact(id, "a.bin", b"x" * 16 * 1024 * 1024, "application/octet-stream")
    pieces, files = [], served._app.services.files
    rows = files.rows

    async def counted(name: str, *arguments: object, **named: object) -> object:
        if name == "file_piece":
            pieces.append(name)
        return await rows(name, *arguments, **named)

    monkeypatch.setattr(files, "rows", counted)
    _, writer = await connect_socket()
    writer.transport.pause_reading()
    writer.write(b"GET /v1/tasks/%s/artifacts/a.bin HTTP/1.1\r\n\r\n" % id.encode())
    async with asyncio.timeout(45):
        while not served.config.http_protocol_class.unread:
            await asyncio.sleep(0.01)
    for _ in range(20):
        assert (await http.get("/healthz")).status_code == 200
    assert len(pieces) < 64
    assert max(served.config.http_protocol_class.unread.values()) <= 1024 * 1024
    writer.close()


def test_a_process_keeps_files_for_itself_and_connections_for_others_than_streams():
    bounds = Bounds().with_files(256)
    assert (bounds.connections, bounds.streams) == (192, 144)
    assert Bounds().with_files(1_000_000) == Bounds()
    assert Bounds().with_files(20).connections == 8
