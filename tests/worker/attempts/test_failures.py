"""What is kept of an attempt that failed, however hostile its error."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pgqueue_api.app import create_app

from pgqueue import Backoff, Cancel, PayloadError, PgQueue, Retry, Snooze
from pgqueue.handlers import ending
from pgqueue.handlers.failure import describe
from pgqueue.settings import Settings
from pgqueue.testing import drain

HOSTILE = "a\0b\ud800c"
CLEAN = "a\ufffdb?c"


@pytest.fixture
def app(pgqueue_app: PgQueue) -> PgQueue:
    return pgqueue_app


@pytest.fixture
async def client(app: PgQueue, pgqueue_database: str) -> AsyncIterator[httpx.AsyncClient]:
    api = create_app(Settings(database_url=pgqueue_database))
    async with (
        api.lifespan(),
        httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://api") as client,
    ):
        yield client


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def chained() -> None:
    try:
        {}[HOSTILE]
    except KeyError as cause:
        raise LookupError(HOSTILE) from cause


def deep(n: int) -> None:
    if n:
        exec(f"def level_{'x' * 500}(): deep({n - 1})\nlevel_{'x' * 500}()", {"deep": deep})
    message = "ä" * 100_000
    raise LookupError(message)


async def test_every_attempt_is_kept_with_its_error_worker_and_times(
    app: PgQueue, client: httpx.AsyncClient
) -> None:
    app.task("t", max_attempts=2, backoff=Backoff("fixed", base=60, jitter="none"))(chained)
    id = await app.enqueue("t")
    assert await drain(app) == {"failed": 1}
    task = (await client.get(f"/v1/tasks/{id}")).json()
    assert task["status"] == "retrying"
    assert task["next_retry_at"] > task["started_at"]
    assert await drain(app, advance_clock=True) == {"failed": 1}
    task = (await client.get(f"/v1/tasks/{id}")).json()
    assert (task["status"], task["next_retry_at"]) == ("failed", None)
    last, first = (await client.get(f"/v1/tasks/{id}/attempts")).json()["items"]
    assert [a["attempt"] for a in (last, first)] == [2, 1]
    assert [a["final"] for a in (last, first)] == [True, False]
    assert first["finished_at"] < last["started_at"] < last["finished_at"]
    for attempt in (last, first):
        assert attempt["worker"] == "drain:0"
        assert (attempt["outcome"], attempt["error"]["type"]) == ("failed", "LookupError")
        assert attempt["error"]["message"] == CLEAN
        assert "KeyError" in attempt["error"]["traceback"]
        assert "direct cause" in attempt["error"]["traceback"]


async def test_an_error_without_end_is_cut(app: PgQueue, client: httpx.AsyncClient) -> None:
    app.task("t")(lambda: deep(90))
    id = await app.enqueue("t")
    await drain(app)
    (attempt,) = (await client.get(f"/v1/tasks/{id}/attempts")).json()["items"]
    error = attempt["error"]
    assert (error["type"], error["message"]) == ("LookupError", "ä" * 8192)
    assert 60_000 < len(error["traceback"].encode()) <= 65_536
    assert error["traceback"].endswith("ä\n")


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (Retry(reason=HOSTILE), "retrying"),
        (Retry(after=1e300, reason=HOSTILE), "retrying"),
        (Snooze(until=1e300, reason=HOSTILE), "scheduled"),
        (Cancel(reason=HOSTILE * 9999), "cancelled"),
    ],
)
async def test_a_reason_that_cannot_be_stored_is_made_storable(
    app: PgQueue, value: object, status: str
) -> None:
    app.task("t")(lambda: value)
    id = await app.enqueue("t")
    await drain(app)
    task = await app.get(id)
    assert task.status == status
    assert task.status_reason.startswith(CLEAN)
    assert len(task.status_reason) <= 1000


async def test_a_retry_without_a_delay_waits_as_its_policy_says(app: PgQueue) -> None:
    @app.task("t", backoff=Backoff("fixed", base=500, jitter="none"))
    def handler() -> Retry:
        return Retry()

    id = await app.enqueue("t")
    await drain(app)
    task = await app.get(id)
    assert 495 < (task.next_retry_at - task.started_at).total_seconds() < 505


def test_an_error_that_cannot_be_read_is_described_all_the_same() -> None:
    described = describe(Unspeakable())
    assert described["type"] == "Unspeakable"
    assert described["message"] == "the message cannot be read"


def test_what_is_wrong_with_a_payload_is_made_storable() -> None:
    error = PayloadError("no", errors=[{"pointer": HOSTILE, "message": HOSTILE * 9999}] * 30)
    places = ending.refused(error).error["errors"]
    assert len(places) == 20
    assert places[0]["pointer"] == CLEAN
    assert len(places[0]["message"]) == 1000
