"""Requests to the outside: where they go, where they do not, and how long they may take."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from pgqueue_worker.outbound import (
    Allowed,
    AnswerLost,
    Outbound,
    Refused,
    TimedOut,
    Unreachable,
)

from tests.worker.outbound.origin import Origin, Reply, certificate

NAME = "hooks.example.com"
HERE = Allowed.parse("127.0.0.1")


def names(*answers: list[str]) -> Callable:
    """A name server that gives each of these answers in turn, and then the last for ever."""
    left = [*answers]

    async def resolve(host: str, port: int) -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


@pytest.fixture
def origin() -> Iterator[Origin]:
    origin = Origin()
    yield origin
    origin.close()


async def test_a_request_reaches_the_host_that_it_names(origin: Origin) -> None:
    outbound = Outbound(HERE, resolve=names(["127.0.0.1"]))
    answer = await outbound.request(
        "POST", origin.url(NAME, "/in?a=1#part"), headers={"X-One": "1"}, content=b"hello"
    )
    assert (answer.status, answer.body, answer.cut) == (200, b"thanks", False)
    (came,) = origin.received
    assert (came.path, came.body, came.headers["X-One"]) == ("/in?a=1", b"hello", "1")
    assert came.headers["Host"] == f"{NAME}:{origin.port}"


async def test_the_certificate_is_that_of_the_name_and_not_of_the_address(tmp_path: Path) -> None:
    file = certificate(tmp_path, NAME)
    origin = Origin(tls=file)
    try:
        trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        outbound = Outbound(HERE, resolve=names(["127.0.0.1"]), tls=trusting)
        answer = await outbound.request("POST", origin.url(NAME), content=b"{}")
        assert (answer.status, origin.server_names) == (200, [NAME])
        with pytest.raises(Unreachable, match="certificate"):
            await outbound.request("POST", origin.url("other.example.com"))
        with pytest.raises(Unreachable, match="certificate"):
            await Outbound(HERE, resolve=names(["127.0.0.1"])).request("POST", origin.url(NAME))
        assert len(origin.received) == 1
    finally:
        origin.close()


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["127.0.0.1", "8.8.8.8"],
        ["2606:4700::1111", "::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["169.254.169.254"],
    ],
)
async def test_a_host_with_any_address_that_is_not_public_is_refused(
    origin: Origin, answers: list[str]
) -> None:
    with pytest.raises(Refused, match="not public"):
        await Outbound(resolve=names(answers)).request("POST", origin.url(NAME))
    assert origin.received == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]"]
)
async def test_no_way_to_write_this_machine_gets_through(origin: Origin, host: str) -> None:
    with pytest.raises((Refused, Unreachable)):
        await Outbound().request("POST", origin.url(host))
    assert origin.received == []


async def test_a_name_is_resolved_once_and_the_address_looked_at_is_the_one_reached(
    origin: Origin,
) -> None:
    asked = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    outbound = Outbound(HERE, resolve=rebinding)
    assert (await outbound.request("POST", origin.url(NAME))).status == 200
    assert asked == [NAME]
    with pytest.raises(Refused, match=r"127\.0\.0\.2"):
        await outbound.request("POST", origin.url(NAME))
    assert len(origin.received) == 1


async def test_an_address_that_does_not_answer_leaves_time_for_the_next(origin: Origin) -> None:
    outbound = Outbound(
        Allowed.parse("127.0.0.0/8"), resolve=names(["127.0.0.99", "127.0.0.1"]), connect_s=1
    )
    assert (await outbound.request("POST", origin.url(NAME))).status == 200


async def test_a_redirect_is_an_answer_and_not_a_way(origin: Origin) -> None:
    origin.reply = lambda _: Reply(302, {"Location": origin.url(path="/secret")})
    answer = await Outbound(HERE).request("POST", origin.url())
    assert (answer.status, len(origin.received)) == (302, 1)


async def test_no_proxy_of_the_environment_is_asked(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await Outbound(HERE).request("POST", origin.url())).status == 200


async def test_of_an_answer_without_end_only_the_beginning_is_read(origin: Origin) -> None:
    stopped = threading.Event()

    def pour(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except OSError:
            stopped.set()
            raise

    origin.reply = lambda _: Reply(act=pour)
    answer = await Outbound(HERE).request("POST", origin.url())
    assert (answer.status, len(answer.body), answer.cut) == (200, 64 * 1024, True)
    assert stopped.wait(45)


async def test_an_answer_that_drips_is_given_up_after_the_whole_time(origin: Origin) -> None:
    hung_up = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not hung_up.wait(0.02):
            handler.wfile.write(b"x")

    origin.reply = lambda _: Reply(act=drip)
    with pytest.raises(TimedOut):
        await Outbound(HERE, total_s=0.3).request("POST", origin.url())
    hung_up.set()


async def test_a_name_server_that_is_silent_takes_no_longer_than_a_connection(
    origin: Origin,
) -> None:
    never = threading.Event()

    async def silent(host: str, port: int) -> list[str]:
        import asyncio

        await asyncio.to_thread(never.wait, 5)
        return ["127.0.0.1"]

    with pytest.raises(TimedOut):
        await Outbound(HERE, resolve=silent, connect_s=0.1).request("POST", origin.url(NAME))
    never.set()


async def test_a_host_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable):
            await Outbound(HERE).request("POST", f"http://127.0.0.1:{probe.getsockname()[1]}/")

    async def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(Unreachable, match="not known"):
        await Outbound(resolve=unknown).request("POST", "http://nowhere.example/")


async def test_what_is_no_http_is_no_answer(origin: Origin) -> None:
    origin.reply = lambda _: Reply(act=lambda handler: handler.wfile.write(b"SSH-2.0-x\r\n\r\n"))
    with pytest.raises(AnswerLost):
        await Outbound(HERE).request("POST", origin.url())


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "example.com",
        "http://",
        "http:///path",
        "http://user@example.com/",
        "http://user:pass@example.com/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com:x/",
        "http://exa mple.com/",
        "http://example.com/\r\nX-Injected: 1",
        "http://exämple.com/",
        "http://ex%61mple.com/",
        "http://[::1/",
        "http://[fe80::1%25lo]/",
        "http://example.com/" + "x" * 2048,
    ],
)
async def test_a_url_that_is_not_plainly_one_of_http_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        await Outbound().request("POST", url)
