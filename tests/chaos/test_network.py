"""Rows of the fault matrix: what a network does to connections, and what is lost by it: nothing."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pgqueue_api.app import create_app

from pgqueue import AnswerLost, DatabaseUnavailable, PgQueue, SyncClient
from pgqueue.database.queries import query
from pgqueue.settings import Settings
from tests.api.worker import Worker
from tests.chaos.crashing import check_sound
from tests.chaos.load import check_load, completed, drained, load
from tests.chaos.proxy import Proxy, proxied
from tests.figures import Figure
from tests.worker.conftest import Bench, eventually

CUT = "sessions cut at random, 10 a second"
BROKEN = "connection reset, half-open, COMMIT reply lost"
UNHEARD = "NOTIFY lost, listener killed"
DETECTED = "≤ 15 s"
_DETECTED_S = 20  # the promise, and room for a machine that has other things to do
_STORE = r"pgqueue\.enqueue"


@pytest.fixture
def proxy(direct: str) -> Iterator[Proxy]:
    with proxied(direct) as proxy:
        yield proxy


@pytest.fixture
def bench(direct: str, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(direct, tmp_path)
    yield bench
    bench.close()
    check_sound(direct)


def start(bench: Bench, proxy: Proxy, *arguments: str) -> None:
    """Start a worker whose every connection goes through the proxy."""
    bench.start(
        *arguments, PGQUEUE_DATABASE_URL=proxy.dsn, PGQUEUE_LISTEN_URL=proxy.dsn, PGQUEUE_POLL_S="1"
    )


# a worker


@pytest.mark.timeout(240)
def test_sessions_cut_at_random_ten_a_second_lose_nothing(bench: Bench, figure: Figure) -> None:
    acknowledged = load(bench)
    bench.start("--concurrency", "20")
    cut = 0
    while completed(bench) < len(acknowledged) and cut < 300:
        cut += bench.value(
            "select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity"
            " where datname = current_database() and application_name like 'pgqueue%%'"
            " and pid <> pg_backend_pid() order by random() limit 1) as one"
        )
        time.sleep(0.1)  # the rate of this fault
    drained(bench, len(acknowledged))
    check_load(bench, acknowledged)
    figure(CUT, f"{cut} cut: 0 lost, 0 double", "0 / 0")


@pytest.mark.timeout(240)
def test_connections_reset_and_answers_lost_complete_nothing_twice(
    bench: Bench, proxy: Proxy, figure: Figure
) -> None:
    acknowledged = load(bench)
    start(bench, proxy, "--concurrency", "20")
    resets = lost = 0
    for share in range(150, 1_500, 150):
        eventually(lambda share=share: completed(bench) >= share, f"{share} are completed", 120)
        proxy.lose_answer(r"pgqueue_private\.(finish|claim)\(", only=None)
        lost += proxy.lost.wait(10)
        resets += proxy.reset()
    drained(bench, len(acknowledged))
    check_load(bench, acknowledged)
    assert lost >= 5
    figure(BROKEN, f"worker: {resets} resets, {lost} answers lost: 0 lost, 0 double", "0 / 0")


@pytest.mark.timeout(120)
def test_a_claim_whose_answer_is_lost_is_given_back_at_once(
    bench: Bench, proxy: Proxy, figure: Figure
) -> None:
    start(bench, proxy)
    bench.ended(bench.enqueue("echo"))
    proxy.lose_answer(r"pgqueue_private\.claim\(")
    tasks = bench.enqueue_many([{"type": "echo"}] * 10)
    begin = time.monotonic()
    for task in tasks:
        assert bench.ended(task)["status"] == "completed"
    took = time.monotonic() - begin
    assert proxy.lost.is_set()
    figure(BROKEN, f"worker: answer to a claim lost: all done after {took:.1f} s", "lost 0")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("silent", ["vanish", "swallow"])
def test_a_worker_notices_a_half_open_connection_in_time_and_goes_on(
    bench: Bench, proxy: Proxy, figure: Figure, silent: str
) -> None:
    start(bench, proxy, "--concurrency", "20")
    bench.ended(bench.enqueue("echo"))
    getattr(proxy, silent)(only="pgqueue worker claim")
    begin = time.monotonic()
    proxy.spare_new()
    acknowledged = load(bench, 200)
    eventually(lambda: completed(bench) > 1, "it claims through a new connection", 60)
    took = time.monotonic() - begin
    drained(bench, len(acknowledged) + 1)
    assert '"doing": "claim"' in bench.logs() or '"doing":"claim"' in bench.logs()
    assert took < _DETECTED_S
    figure(BROKEN, f"worker, half-open ({silent}): noticed after {took:.1f} s", DETECTED)


@pytest.mark.timeout(120)
def test_a_lost_notification_delays_a_task_by_the_poll_at_most(
    bench: Bench, proxy: Proxy, figure: Figure
) -> None:
    start(bench, proxy)
    bench.ended(bench.enqueue("echo"))
    proxy.drop_notifications()
    waits = []
    for _ in range(5):
        (attempt,) = bench.attempts(bench.ended(bench.enqueue("echo"))["id"])
        waits.append(started_after(bench, attempt["task_id"]))
    assert max(waits) < 15
    figure(UNHEARD, f"deaf: started after {max(waits):.2f} s at most", "≤ 2 s")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("silent", ["killed", "vanish", "swallow"])
def test_a_listener_that_is_gone_listens_again_in_time(
    bench: Bench, proxy: Proxy, figure: Figure, silent: str
) -> None:
    start(bench, proxy)
    bench.ended(bench.enqueue("echo"))
    listens = (
        "select pid from pg_stat_activity where datname = current_database()"
        " and application_name = 'pgqueue listen' and state = 'idle'"
        f" and (query ilike 'listen%%control%%' or query = '{query('ping')}')"
    )
    (before,) = [row["pid"] for row in eventually(lambda: bench.rows(listens), "it listens", 20)]
    begin = time.monotonic()
    if silent == "killed":
        bench.rows("select pg_terminate_backend(%s)", before)
    else:
        getattr(proxy, silent)(only="pgqueue listen")
        proxy.spare_new()
    task = bench.enqueue("echo")
    assert bench.ended(task)["status"] == "completed"
    assert started_after(bench, task) < 15
    eventually(
        lambda: any(row["pid"] != before for row in bench.rows(listens)), "it listens again", 60
    )
    took = time.monotonic() - begin
    assert took < _DETECTED_S
    figure(UNHEARD, f"listener {silent}: wake-ups back after {took:.1f} s", DETECTED)


def started_after(bench: Bench, task: str) -> float:
    return bench.value(
        "select extract(epoch from min(a.started_at) - min(t.created_at))::float8"
        " from pgqueue.attempts as a join pgqueue.tasks as t on t.id = a.task_id"
        " where a.task_id = %s",
        task,
    )


# the library


async def test_the_client_is_told_that_it_is_unknown_and_a_key_makes_asking_again_safe(
    bench: Bench, proxy: Proxy, figure: Figure
) -> None:
    async with PgQueue(proxy.dsn) as app:
        proxy.lose_answer(_STORE)
        with pytest.raises(AnswerLost) as caught:
            await app.enqueue("echo", dedup_key="once")
        assert proxy.lost.is_set()
        assert "dedup_key" in str(caught.value.hint)
        assert "may have taken effect, or not" in str(caught.value.hint)
        (stored,) = bench.rows("select id::text from pgqueue.tasks")
        again = await app.enqueue_unique("echo", dedup_key="once")
    assert (again.id, again.deduplicated) == (stored["id"], True)
    assert bench.value("select count(*) from pgqueue_private.task") == 1
    figure(BROKEN, "client: answer lost, stored, asked again: 1 task", "unknown ≠ lost; double 0")


async def test_a_client_without_a_database_is_told_that_nothing_was_done(proxy: Proxy) -> None:
    async with PgQueue(proxy.dsn) as app:
        proxy.refuse()
        proxy.reset()
        with pytest.raises(DatabaseUnavailable):
            await app.enqueue("echo")  # meets the reset: unknown
        with pytest.raises(DatabaseUnavailable) as caught:
            await app.enqueue("echo")
        assert not isinstance(caught.value, AnswerLost)


def test_the_sync_client_is_told_the_same(bench: Bench, proxy: Proxy) -> None:
    with SyncClient(proxy.dsn) as client:
        proxy.lose_answer(_STORE)
        with pytest.raises(AnswerLost):
            client.enqueue("echo")
        assert bench.value("select count(*) from pgqueue_private.task") == 1
        client.enqueue("echo")
    assert bench.value("select count(*) from pgqueue_private.task") == 2


async def test_a_client_notices_a_half_open_connection_in_time(
    proxy: Proxy, figure: Figure
) -> None:
    async with PgQueue(proxy.dsn) as app:
        await app.enqueue("echo")
        proxy.vanish()
        begin = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            await app.enqueue("echo")
        took = time.monotonic() - begin
        proxy.heal()
    assert took < _DETECTED_S
    figure(BROKEN, f"client, half-open: noticed after {took:.1f} s", DETECTED)


# the API


async def test_the_api_says_that_an_answer_was_lost_and_a_key_makes_asking_again_safe(
    bench: Bench, proxy: Proxy, figure: Figure
) -> None:
    async with api(bench, proxy) as http:
        proxy.lose_answer(_STORE)
        answer = await http.post("/v1/tasks", json={"type": "noop"})
        assert (answer.status_code, answer.json()["code"]) == (503, "answer_lost")
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Idempotency-Key" in answer.json()["hint"]
        assert bench.value("select count(*) from pgqueue_private.task") == 1, "it was stored"

        proxy.lose_answer(r"pgqueue_private\.enqueue_idempotent")
        keyed = {"json": {"type": "noop"}, "headers": {"Idempotency-Key": "k"}}
        answer = await http.post("/v1/tasks", **keyed)
        assert answer.status_code == 503
        answer = await http.post("/v1/tasks", **keyed)
        assert answer.status_code in (200, 201), answer.text
        assert bench.value("select count(*) from pgqueue_private.task") == 2
    figure(BROKEN, "API: 503 answer_lost; with Idempotency-Key again: 1 task", "double 0")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("silent", ["vanish", "swallow"])
async def test_the_api_notices_a_half_open_connection_in_time(
    bench: Bench, proxy: Proxy, figure: Figure, silent: str
) -> None:
    async with api(bench, proxy) as http:
        assert (await http.post("/v1/tasks", json={"type": "noop"})).status_code == 201
        getattr(proxy, silent)()
        begin = time.monotonic()
        submit = http.post("/v1/tasks", json={"type": "noop"})
        answers = await asyncio.gather(submit, http.get("/v1/queues"))
        took = time.monotonic() - begin
        proxy.heal()
        assert [answer.status_code for answer in answers] == [503, 503]
        while (await http.post("/v1/tasks", json={"type": "noop"})).status_code != 201:
            await asyncio.sleep(0.05)
    assert took < _DETECTED_S
    figure(BROKEN, f"API, half-open ({silent}): 503 after {took:.1f} s", DETECTED)


class api:  # noqa: N801  reads as what it is
    """The application over the proxy, in this process."""

    def __init__(self, bench: Bench, proxy: Proxy) -> None:
        worker = Worker(bench.dsn)
        worker.publish("noop")
        worker.close()
        self._app = create_app(Settings(database_url=proxy.dsn))

    async def __aenter__(self) -> httpx.AsyncClient:
        self._lifespan = self._app.lifespan()
        await self._lifespan.__aenter__()
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://api")
        return self._client

    async def __aexit__(self, *error: object) -> None:
        await self._client.aclose()
        await self._lifespan.__aexit__(*error)
