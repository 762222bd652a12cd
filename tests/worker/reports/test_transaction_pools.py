"""The connections of handlers' transactions: each is lent as if it were new."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pgqueue_worker.reports.transaction_pools import TransactionPools
from psycopg_pool import PoolTimeout

SET_HERE = "select count(*) from pg_settings where name ~ '^tcp_' and source = 'session'"
UNTIDY = "set tcp_user_timeout = 0; set default_transaction_read_only = on"

pytestmark = pytest.mark.unpooled("it is about sessions")


@pytest.fixture
async def pools(direct: str) -> AsyncIterator[TransactionPools]:
    pools = TransactionPools(direct, 1)
    yield pools
    await pools.close()


async def test_on_the_loop_the_server_minds_its_client_however_often_it_was_lent(
    pools: TransactionPools,
) -> None:
    pool = await pools.for_loop()
    for _ in range(3):
        async with pool.connection() as connection:
            assert await (await connection.execute(SET_HERE)).fetchone() == (4,)
            assert await (await connection.execute("show transaction_read_only")).fetchone() == (
                "off",
            )
            await connection.execute(UNTIDY)


async def test_in_threads_the_server_minds_its_client_however_often_it_was_lent(
    pools: TransactionPools,
) -> None:
    def lent() -> tuple[object, ...] | None:
        with pools.for_threads().connection() as connection:
            found = connection.execute(SET_HERE).fetchone()
            connection.execute(UNTIDY)
            return found

    for _ in range(3):
        assert await asyncio.to_thread(lent) == (4,)


async def test_what_a_pool_logs_of_a_failure_has_no_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pools = TransactionPools("postgresql://app:open@s3same-word@127.0.0.1:1/none", 1)
    pool = await pools.for_loop()
    with pytest.raises(PoolTimeout):
        async with pool.connection(timeout=1):
            pass
    with pytest.raises(PoolTimeout):
        await asyncio.to_thread(pools.for_threads().getconn, 1)
    await pools.close()
    said = [record.getMessage() for record in caplog.records if record.name == "psycopg.pool"]
    assert any("error connecting" in line for line in said)
    assert "s3same" not in str(said)
