"""Rolling deploy: one process after the other is told to end and replaced, and nobody notices."""

import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.api.sse import Events, events
from tests.api.worker import Worker
from tests.chaos.service import Service
from tests.figures import Figure
from tests.soundness import assert_sound
from tests.worker.conftest import Bench, eventually

ROW = "rolling deploy"
APP = ("--app", "tests.chaos.handlers:app", "--concurrency", "10")
GRACE = {"PGQUEUE_GRACE_S": "60"}

pytestmark = pytest.mark.timeout(300)


@contextmanager
def submitting(call: Callable[[], str]) -> Iterator[list[str]]:
    """Make calls one after the other as long as the block lasts, and give what they answered."""
    done, answers, errors = threading.Event(), [], []

    def work() -> None:
        try:
            while not done.wait(0.005):
                answers.append(call())
        except BaseException as error:  # noqa: BLE001  told below
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield answers
    finally:
        done.set()
        thread.join()
    assert not errors, f"refused: {errors}"


def test_workers_that_are_replaced_one_by_one_run_nothing_twice_and_lose_nothing(
    bench: Bench, figure: Figure
) -> None:
    olds = [bench.start(*APP, **GRACE) for _ in range(2)]
    connection = psycopg.connect(bench.dsn, autocommit=True)
    enqueue = "select pgqueue.enqueue('counted', '{}')::text"
    with connection, submitting(lambda: connection.execute(enqueue).fetchone()[0]) as ids:
        for old in olds:
            ran = len(executions(bench))
            eventually(lambda ran=ran: len(executions(bench)) > ran + 50, "it works under load")
            bench.start(*APP, **GRACE)
            assert bench.stop(old) == 0
    acknowledged = set(ids)
    done = "select count(*) from pgqueue_private.attempt where outcome = 'completed'"
    eventually(lambda: bench.value(done) >= len(acknowledged), "all are completed", 120)
    again = Counter(executions(bench))
    assert set(again) == acknowledged, "none is lost"
    assert again.total() == len(acknowledged), "none runs twice"
    outcomes = {row["outcome"] for row in bench.rows("select outcome from pgqueue.attempts")}
    assert outcomes <= {"completed", "released"}
    figure(
        ROW,
        f"2 of 2 supervisors replaced, {len(ids)} tasks meanwhile: run again 0, lost 0, refused 0",
        "0 / 0 / 0",
    )


def executions(bench: Bench) -> list[str]:
    """Return the task of each execution, as the handlers wrote it down."""
    file = bench.folder / "executions"
    return file.read_text().split() if file.exists() else []


class Client:
    """Submits to one of some addresses, and to the next with the same key where one is gone."""

    def __init__(self, urls: list[str]) -> None:
        self.clients: list[httpx.Client] = []
        self.turned = 0
        for url in urls:
            self.add(url)

    def add(self, url: str) -> None:
        self.clients.append(httpx.Client(base_url=url, timeout=60))

    def close(self) -> None:
        for client in self.clients:
            client.close()

    def submit(self) -> str:
        key = str(uuid4())
        for _ in range(200):
            try:
                answer = self.clients[0].post(
                    "/v1/tasks", json={"type": "noop"}, headers={"idempotency-key": key}
                )
            except httpx.TransportError:
                self.turned += 1
                self.clients.append(self.clients.pop(0))
                time.sleep(0.05)
                continue
            assert answer.status_code == 201, answer.text
            return answer.json()["id"]
        raise AssertionError("nobody takes it")


@pytest.fixture
def worker(database: str) -> Iterator[Worker]:
    with closing(Worker(database)) as worker:
        yield worker


async def test_apis_that_are_replaced_one_by_one_refuse_nothing_and_streams_go_on(
    database: str, worker: Worker, tmp_path: Path, figure: Figure
) -> None:
    worker.publish("noop")
    watched = worker.enqueue(queue="watched")
    worker.claim("watched")
    with ExitStack() as stack:

        def start(n: int) -> Service:
            api = stack.enter_context(Service(database, tmp_path / f"api-{n}.log", **GRACE))
            eventually(api.is_ready, "it is ready", 100)
            return api

        apis = [start(1), start(2)]
        client = Client([api.url for api in apis])
        stack.callback(client.close)
        with submitting(client.submit) as ids:
            place = None
            for n in range(2):
                old = apis.pop(0)
                async with streamed(old, watched, place) as stream:
                    assert (await stream.next()).name == "snapshot"
                    worker.log(watched, f"before {n}")
                    place = await said(stream, f"before {n}")
                    answer = under_way(worker, old, f"waited-{n}")
                    apis.append(start(n + 3))
                    client.add(apis[-1].url)
                    seen = len(ids)
                    eventually(lambda seen=seen: len(ids) > seen + 20, "it works under load")
                    old.process.terminate()
                    assert await stream.next() is None
                    assert "the server is stopping" in stream.comments
                assert answer().status_code == 201, "what was under way is answered"
                assert old.process.wait(90) == 0
                worker.log(watched, f"while away {n}")
                async with streamed(apis[0], watched, place) as stream:
                    assert (await stream.next()).name == "snapshot"
                    place = await said(stream, f"while away {n}")
            seen = len(ids)
            eventually(lambda: len(ids) > seen + 20, "it works after all")
    tasks = worker.value("select count(*) from pgqueue.tasks where queue = 'default'")
    assert tasks == len(ids) == len(set(ids)), "one task for each call"
    with psycopg.connect(database) as connection:
        assert_sound(connection)
    figure(
        ROW,
        f"2 of 2 APIs replaced, {len(ids)} calls meanwhile: refused 0, {client.turned} made again"
        " elsewhere with their key, 1 task each; streams resumed where they were",
        "no enqueue refused",
    )


@asynccontextmanager
async def streamed(api: Service, task: str, place: str | None) -> AsyncIterator[Events]:
    async with (
        httpx.AsyncClient(base_url=api.url, timeout=60) as http,
        events(http, f"/v1/tasks/{task}/events", place) as stream,
    ):
        yield stream


async def said(stream: Events, message: str) -> str | None:
    """Return the position of the next event, which must be this log line."""
    event = await stream.next()
    assert event is not None
    assert (event.name, event.data["message"]) == ("log", message)
    return event.id


def under_way(worker: Worker, api: Service, queue: str) -> Callable[[], httpx.Response]:
    """Have a request be under way that waits for its task; the call gives its answer."""
    body, prefer = {"type": "noop", "queue": queue}, {"prefer": "wait=60"}
    asked = ThreadPoolExecutor(1).submit(
        httpx.post, f"{api.url}/v1/tasks", json=body, headers=prefer, timeout=90
    )
    count = "select count(*) from pgqueue.tasks where queue = %s"
    eventually(lambda: worker.value(count, queue), "its task is there")
    assert not asked.done()
    return asked.result
