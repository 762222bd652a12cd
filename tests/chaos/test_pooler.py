"""A row of the fault matrix: a transaction pooler between everybody and PostgreSQL.

The suites of all parts run through PgBouncer by `make pgbouncer`; this is the row in one test.
"""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pgqueue_api.app import create_app

from pgqueue import PgQueue
from pgqueue.settings import Settings
from pgqueue.testing.servers import Server
from tests.api.worker import Worker
from tests.chaos.crashing import check_sound
from tests.chaos.load import check_load, drained, load
from tests.conftest import assert_nothing_stranded
from tests.figures import Figure
from tests.pooler import Pooler, pgbouncer
from tests.worker.attempts.test_hearing import Ear
from tests.worker.conftest import Bench

ROW = "transaction pooler"

pytestmark = pytest.mark.pgbouncer


@pytest.fixture
def pooled(
    direct: str, pgqueue_server: Server, pooler: Pooler | None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The address of this test's database through PgBouncer, however the tests are run."""
    monkeypatch.setenv("PGQUEUE_LISTEN_URL", direct)
    if pooler is not None:
        yield pooler.through(direct)
        return
    with pgbouncer(pgqueue_server.admin) as own:
        yield own.through(direct)


@pytest.mark.timeout(180)
async def test_everything_works_through_a_transaction_pooler_and_strands_no_lock(
    pooled: str, direct: str, tmp_path: Path, figure: Figure
) -> None:
    bench = Bench(direct, tmp_path)
    try:
        bench.rows("select pgqueue.patch_queue('slow', '{\"concurrency\": 2}'::jsonb, null)")
        acknowledged = load(bench, 500)
        bench.start("--concurrency", "20", PGQUEUE_DATABASE_URL=pooled)
        limited = [bench.enqueue("ledger", {"seconds": 0.01}, queue="slow") for _ in range(20)]
        async with PgQueue(pooled) as app:
            ids = [await app.enqueue("ledger", {"seconds": 0}) for _ in range(20)]
            keyed = await app.enqueue("ledger", {"seconds": 0}, dedup_key="k")
            assert await app.enqueue("ledger", {"seconds": 0}, dedup_key="k") == keyed
            assert (await app.wait(keyed, timeout=60)).status == "completed"
        async with _api(pooled, direct) as http:
            answer = await http.post("/v1/tasks", json={"type": "ledger", "payload": {}})
            assert answer.status_code == 201, answer.text
        acknowledged += [*limited, *ids, keyed, answer.json()["id"]]
        drained(bench, len(acknowledged))
        check_load(bench, acknowledged)
        assert "Traceback" not in bench.logs()
        assert "database_unavailable" not in bench.logs()
    finally:
        bench.close()
    assert_nothing_stranded(direct)
    check_sound(direct)
    figure(ROW, f"{len(acknowledged)} tasks: 0 lost, 0 double, 0 locks stranded", "green, 0 locks")


class _api:  # noqa: N801
    def __init__(self, dsn: str, direct: str) -> None:
        worker = Worker(direct)
        worker.publish("ledger")
        worker.close()
        self._app = create_app(Settings(database_url=dsn))

    async def __aenter__(self) -> httpx.AsyncClient:
        self._lifespan = self._app.lifespan()
        await self._lifespan.__aenter__()
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://api")
        return self._client

    async def __aexit__(self, *error: object) -> None:
        await self._client.aclose()
        await self._lifespan.__aexit__(*error)


async def test_a_link_that_listens_behind_a_pooler_hears_nothing_and_goes_on(
    direct: str, pgqueue_server: Server
) -> None:
    with pgbouncer(pgqueue_server.admin) as pooler:
        ear = Ear(pooler.through(direct))
        await ear.link.rows("ping")
        with ear.link.hearing():
            pass
        assert await ear.link.rows("ping")
        await ear.link.close()
