"""POST /v1/artifacts: streamed in and out, checked, and nothing left of what is not whole."""

import asyncio
import hashlib
import resource
from collections.abc import AsyncIterator

import httpx
import pytest
from pgqueue_api.bounds import Bounds
from pgqueue_api.problems import InvalidBody, Overloaded, QuotaReached
from pgqueue_api.server import Server
from pgqueue_api.upload_store import Uploads

MIB = 1024 * 1024
CSV = {"content-type": "text/csv"}
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.fixture
def limits() -> Bounds:
    return Bounds(poll_s=0.1, upload=40 * MIB, uploads=2, body_s=0.5)


async def _lines(mib: int, after: asyncio.Event | None = None) -> AsyncIterator[bytes]:
    for n in range(mib * 4):
        if after is not None and n == 5:
            await after.wait()
        yield (b"%09d" % n) + b"," * (MIB // 4 - 9)


def _left(connect) -> tuple[int, int]:
    row = connect().execute(
        "select (select count(*) from pgqueue_private.upload), (select count(*) "
        "from pgqueue_private.upload_chunk)"
    )
    return row.fetchone()


async def test_a_file_is_streamed_in_and_out_as_it_was(http: httpx.AsyncClient) -> None:
    whole = b"".join([part async for part in _lines(3)]) + b"end\n"

    async def body() -> AsyncIterator[bytes]:
        for start in range(0, len(whole), 70_001):
            yield whole[start : start + 70_001]

    answer = await http.post("/v1/artifacts?name=sales.csv", content=body(), headers=CSV)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["sha256"] == hashlib.sha256(whole).hexdigest()
    assert (made["name"], made["content_type"], made["size"]) == (
        "sales.csv",
        "text/csv",
        len(whole),
    )
    assert answer.headers["location"] == f"/v1/artifacts/{made['id']}"
    assert (await http.get(answer.headers["location"])).json() == made
    back = await http.get(made["href"])
    assert back.content == whole
    assert back.headers["content-type"] == "text/csv"
    assert back.headers["content-disposition"] == 'attachment; filename="sales.csv"'
    assert "sandbox" in back.headers["content-security-policy"]
    again = await http.get(made["href"], headers={"if-none-match": back.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_file_that_is_deleted_is_gone(client: httpx.AsyncClient, connect) -> None:
    made = (await client.post("/v1/artifacts", content=b"a,b\n", headers=CSV)).json()
    assert (await client.delete(f"/v1/artifacts/{made['id']}")).status_code == 204
    for path in (f"/v1/artifacts/{made['id']}", made["href"]):
        assert (await client.get(path)).status_code == 404
    assert (await client.delete(f"/v1/artifacts/{made['id']}")).status_code == 404
    assert _left(connect) == (0, 0)


@pytest.mark.parametrize(
    ("headers", "content", "query", "status", "code"),
    [
        ({}, b"a\n", "", 415, "unsupported_media_type"),
        ({"content-type": "text/html"}, b"<p>", "", 415, "unsupported_media_type"),
        ({"content-type": "text/csv; charset=utf-16"}, b"a\n", "", 415, "unsupported_media_type"),
        (CSV, b"", "", 422, "body_invalid"),
        (CSV, b"a,\0", "", 422, "body_invalid"),
        (CSV, b"\xff\xfe", "", 422, "body_invalid"),
        (CSV, PNG, "", 422, "body_invalid"),
        ({"content-type": "image/jpeg"}, PNG, "", 422, "body_invalid"),
        ({"content-type": "image/webp"}, b"RIFF1234WAVE", "", 422, "body_invalid"),
        ({"content-type": "application/vnd.apache.parquet"}, b"PK..", "", 422, "body_invalid"),
        (CSV, b"a\n", "?name=../x", 422, "invalid"),
        (CSV, b"a\n", "?name=", 422, "invalid"),
        (CSV, b"x" * (40 * MIB + 1), "", 413, "body_too_large"),
    ],
)
async def test_what_cannot_be_a_file_is_refused_and_leaves_nothing(
    client: httpx.AsyncClient, connect, *, headers, content, query, status, code
) -> None:
    answer = await client.post(f"/v1/artifacts{query}", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert _left(connect) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("image/png", PNG),
        ("image/webp", b"RIFF1234WEBP"),
        ("text/csv; charset=UTF-8", "é\n".encode()),
        ("text/plain", b"x" * 4095 + "é".encode()),  # cut where it is looked at
        ("application/json", b"{}"),
        ("application/gzip", b"\x1f\x8b\x08"),
    ],
)
async def test_what_is_as_its_type_says_is_taken(
    client: httpx.AsyncClient, kind: str, content: bytes
) -> None:
    answer = await client.post("/v1/artifacts", content=content, headers={"content-type": kind})
    assert answer.status_code == 201, answer.text


async def test_a_body_without_a_length_is_cut_at_the_limit(
    http: httpx.AsyncClient, connect
) -> None:
    answer = await http.post("/v1/artifacts", content=_lines(41), headers=CSV)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert _left(connect) == (0, 0)


async def _begin(served: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send three of the nine million bytes that are promised."""
    host, port = served.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /v1/artifacts HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/csv\r\n"
        b"content-length: 9000000\r\n\r\n" + b"a" * (3 * MIB)
    )
    await writer.drain()
    return reader, writer


async def test_a_client_that_goes_away_leaves_nothing(served: Server, connect) -> None:
    _, writer = await _begin(served)
    await _until(lambda: _left(connect)[1] >= 2)
    writer.transport.abort()
    await _until(lambda: _left(connect) == (0, 0))


async def test_a_client_that_stops_sending_is_answered_and_leaves_nothing(
    served: Server, connect
) -> None:
    reader, writer = await _begin(served)
    async with asyncio.timeout(45):
        answer = await reader.readuntil(b"}")
    assert answer.startswith(b"HTTP/1.1 422")
    assert b"body_invalid" in answer
    assert _left(connect) == (0, 0)
    writer.close()


async def test_more_uploads_than_are_taken_at_once_are_told_to_come_again(
    http: httpx.AsyncClient, connect
) -> None:
    gate = asyncio.Event()
    two = [
        asyncio.create_task(http.post("/v1/artifacts", content=_lines(2, gate), headers=CSV))
        for _ in range(2)
    ]
    await _until(lambda: _left(connect) == (2, 2))
    third = await http.post("/v1/artifacts", content=b"a\n", headers=CSV)
    assert (third.status_code, third.json()["code"]) == (503, "overloaded")
    assert "retry-after" in third.headers
    gate.set()
    assert [(await one).status_code for one in two] == [201, 201]
    assert (await http.post("/v1/artifacts", content=b"a\n", headers=CSV)).status_code == 201


async def test_one_address_leaves_room_for_others() -> None:
    bounds = Bounds(uploads=3, uploads_of_one=2)
    gate, store = asyncio.Event(), Uploads(Held(), bounds)

    async def receive() -> dict:
        await gate.wait()
        return {"type": "http.request", "body": b"a\n"}

    async def upload(sender: str) -> str:
        return await store.take({b"content-type": b"text/csv"}, None, receive, sender)

    under_way = [asyncio.create_task(upload("a")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="one address"):
        await upload("a")
    under_way.append(asyncio.create_task(upload("b")))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="at once"):
        await upload("c")
    gate.set()
    assert await asyncio.gather(*under_way) == ["id"] * 3
    assert await upload("a") == "id"


@pytest.mark.parametrize(("piece", "taken"), [(100, False), (1000, True)])
async def test_a_file_that_trickles_is_refused_and_a_slow_one_is_not(
    monkeypatch: pytest.MonkeyPatch, *, piece: int, taken: bool
) -> None:
    loop, seconds, pieces = asyncio.get_running_loop(), 0, 0
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + seconds)

    async def receive() -> dict:
        nonlocal seconds, pieces
        seconds += 1
        pieces += 1
        await asyncio.sleep(0.001)  # a turn in which a timeout is noticed
        more = pieces < 200
        return {"type": "http.request", "body": b"a" * piece, "more_body": more}

    store = Uploads(Held(), Bounds(upload_rate=500, body_s=30))
    taking = store.take({b"content-type": b"text/csv"}, None, receive, "a")
    if taken:
        assert await taking == "id"
    else:
        with pytest.raises(InvalidBody, match="too slowly"):
            await taking
        assert 30 <= seconds < 60


@pytest.mark.parametrize("kept", [91, 200])
async def test_all_files_together_have_a_quota(kept: int) -> None:
    async def receive() -> dict:
        return {"type": "http.request", "body": b"a" * 10}

    store = Uploads(Held(kept), Bounds(upload_quota=100))
    with pytest.raises(QuotaReached):
        await store.take({b"content-type": b"text/csv"}, None, receive, "a")
    room = Uploads(Held(90), Bounds(upload_quota=100))
    assert await room.take({b"content-type": b"text/csv"}, None, receive, "a") == "id"


class Held:
    """A pool of connections to a database that keeps nothing."""

    def __init__(self, kept: int = 0) -> None:
        self.kept = kept

    async def row(self, name: str, *_: object) -> dict:
        return {"id": "id", "bytes": self.kept, "deleted": True}

    async def rows(self, *_: object) -> list:
        return []


async def test_a_large_file_is_never_whole_in_memory(http: httpx.AsyncClient) -> None:
    await http.post("/v1/artifacts", content=_lines(1), headers=CSV)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = await http.post("/v1/artifacts", content=_lines(40), headers=CSV)
    assert answer.json()["size"] == 40 * MIB
    seen = 0
    async with http.stream("GET", answer.json()["href"]) as back:
        async for part in back.aiter_bytes():
            seen += len(part)
    assert seen == 40 * MIB
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 24 * 1024, f"{grown} KiB more, client and server together"


async def test_limits_come_from_the_settings() -> None:
    from pgqueue.settings import Settings

    chosen = Bounds.of(Settings(upload_bytes=5, upload_types=" text/CSV, a/b", upload_keep_s=9))
    assert (chosen.upload, chosen.upload_types) == (5, {"text/csv", "a/b"})
    assert chosen.upload_keep_s == 9
    assert Bounds.of(Settings()) == Bounds()


async def _until(condition, seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
